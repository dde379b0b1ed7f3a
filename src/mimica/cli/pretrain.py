"""`mimica pretrain`: train an encoder against captions."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from mimica.cli.loop import Loop, refuse_unwritable


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrain:
    """Pretrain the compact encoder: faces against sentences that describe them. Needs the asset minilm."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """Name of a recipe: compact; compact_colour, which goes on from one of these by --start; teacher, which needs the
    asset mobilenet-v2; or teacher_identity, which needs face-api-identity."""
    data: str
    """fer2013:PATH, folder:PATH, table:FILE, dfew:PATH, ferv39k:PATH, mafw:PATH or list:FILE, of cropped faces."""
    out: Path
    """Folder for the encoder, the log and the state to resume from."""
    also: tuple[str, ...] = ()
    """More data of the same kinds to learn from, whose classes may be others; what is measured is of --data alone."""
    most: int | None = None
    """How many pictures of each data are learned from at most, evenly spread over it; all where not given."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    start: Path | None = None
    """An encoder of the same recipe whose weights to begin with, instead of random ones."""
    teachers: tuple[Path, ...] = ()
    """Encoders whose reading of each face is learned beside its label."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    loop: Loop = field(default_factory=Loop)

    def run(self) -> int:
        """Train, and print where the encoder lies."""
        from mimica.cli.progress import Epochs
        from mimica.data.clipset import load, load_held
        from mimica.data.joined import joined, spread
        from mimica.training.recipes import pretraining, with_loop
        from mimica.training.runs import pretrain

        recipe = with_loop(pretraining(self.recipe), **self.loop.changes())
        refuse_unwritable(self.out)
        size = recipe.encoder.size
        sets = [load(self.data, size=size, fold=self.fold), *(load(data, size=size) for data in self.also)]
        clips = joined([one if self.most is None else spread(one, self.most) for one in sets])
        held = load_held(self.data, size=size, fold=self.fold)
        with Epochs(recipe.loop.epochs) as report:
            path = pretrain(
                recipe, clips, out=self.out, held=held, start=self.start, teachers=self.teachers,
                resume=self.resume, report=report,
            )  # fmt: skip
        print(path)
        return 0
