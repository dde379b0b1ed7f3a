"""`mimica train`: train a recogniser on a pretrained encoder."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train a recogniser on labelled clips of cropped faces, or on stills that are set in motion."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """Name of a recipe: duse_compact."""
    data: str
    """fer2013:PATH, folder:PATH or table:FILE, of cropped faces."""
    out: Path
    """Folder for the recogniser, the log and the state to resume from."""
    encoder: str | None = None
    """A shipped encoder, or the path that pretraining wrote; the recipe's own where not given."""
    epochs: int | None = None
    """How many epochs; the recipe's own number where not given."""
    batch: int | None = None
    """How many clips a step; the recipe's own number where not given."""
    seed: int | None = None
    """What all that is random depends on."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from the last whole epoch in --out."""

    def run(self) -> int:
        """Train, calibrate where the data has a part for it, and print where the recogniser lies."""
        from mimica.cli.progress import Epochs
        from mimica.data.clipset import load, load_held
        from mimica.encoders.store import encoder_size
        from mimica.training.recipes import training, with_loop
        from mimica.training.runs import encoder_path, train_recogniser

        recipe = with_loop(training(self.recipe), epochs=self.epochs, batch=self.batch, seed=self.seed)
        recipe = replace(recipe, encoder=self.encoder or recipe.encoder)
        size = encoder_size(encoder_path(recipe.encoder))
        clips = load(self.data, size=size, frames=recipe.longest)
        held = load_held(self.data, size=size, frames=recipe.longest)
        with Epochs(recipe.loop.epochs) as report:
            path = train_recogniser(recipe, clips, out=self.out, held=held, resume=self.resume, report=report)
        print(path)
        return 0
