"""`mimica pretrain`: train an encoder against captions."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Pretrain:
    """Pretrain the compact encoder: faces against sentences that describe them. Needs the asset minilm."""

    recipe: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="RECIPE")]
    """Name of a recipe: compact."""
    data: str
    """fer2013:PATH, folder:PATH or table:FILE, of cropped faces."""
    out: Path
    """Folder for the encoder, the log and the state to resume from."""
    epochs: int | None = None
    """How many epochs; the recipe's own number where not given."""
    batch: int | None = None
    """How many faces a step; the recipe's own number where not given."""
    seed: int | None = None
    """What all that is random depends on."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from the last whole epoch in --out."""

    def run(self) -> int:
        """Train, and print where the encoder lies."""
        from mimica.cli.progress import Epochs
        from mimica.data.clipset import load, load_held
        from mimica.training.recipes import pretraining, with_loop
        from mimica.training.runs import pretrain

        recipe = with_loop(pretraining(self.recipe), epochs=self.epochs, batch=self.batch, seed=self.seed)
        size = recipe.encoder.size
        clips, held = load(self.data, size=size), load_held(self.data, size=size)
        with Epochs(recipe.loop.epochs) as report:
            path = pretrain(recipe, clips, out=self.out, held=held, resume=self.resume, report=report)
        print(path)
        return 0
