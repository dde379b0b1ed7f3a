"""`mimica train`: train a recogniser on a pretrained encoder."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from mimica.cli.loop import Loop, refuse_unwritable


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train a recogniser on labelled clips of cropped faces, or on stills that are set in motion."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """duse_vit_b32, duse_vit_b16 or duse_vit_l14 on a CLIP, with the paper's settings; or duse_compact, which ships."""
    data: str
    """fer2013:PATH, folder:PATH, table:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE, of cropped faces."""
    out: Path
    """Folder for the recogniser, the log and the state to resume from."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    encoder: str | None = None
    """A shipped encoder, the path that pretraining wrote, or a CLIP: its folder, file or name on the hub."""
    preset: str | None = None
    """duse, what we recommend, or duse-paper, the paper to the letter."""
    method: str | None = None
    """Another method than the recipe's: duse, duse-paper, or a baseline: coop, zero-shot, linear-probe."""
    options: Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME=VALUE ...")] = ()
    """Choices of the method, such as beta=0.5 coupling=linear; `mimica models show duse` lists them."""
    sampling: str | None = None
    """Which frames of a clip are read: segment, tsn8x2, stride or stride:N, uniform, last; else the recipe's own."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    loop: Loop = field(default_factory=Loop)

    def run(self) -> int:
        """Train, calibrate where the data has a part for it, and print where the recogniser lies."""
        from mimica.cli.progress import Epochs
        from mimica.data.clipset import load, load_held, space_of
        from mimica.encoders.named import open_encoder
        from mimica.training.recipes import method_of, training, with_loop, with_method
        from mimica.training.runs import train_recogniser

        recipe = with_loop(training(self.recipe), **self.loop.changes())
        recipe = replace(recipe, encoder=self.encoder or recipe.encoder, sampling=self.sampling or recipe.sampling)
        recipe = with_method(recipe, method_of(self.preset, self.method), self.options)
        # What was typed is looked at before an encoder of gigabytes is.
        refuse_unwritable(self.out)
        space = space_of(self.data)
        encoder = open_encoder(recipe.encoder)
        size = encoder.vision.size
        clips = load(self.data, size=size, frames=recipe.kept, space=space, fold=self.fold)
        held = load_held(self.data, size=size, frames=recipe.kept, space=space, fold=self.fold)
        with Epochs(recipe.loop.epochs) as report:
            path = train_recogniser(recipe, encoder, clips, out=self.out, held=held, resume=self.resume, report=report)
        print(path)
        return 0
