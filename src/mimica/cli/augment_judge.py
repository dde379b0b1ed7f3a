"""`mimica augment judge`: the small network that judges generated clips, and the one that checks it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.generation.rewards.settings import SightTraining


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Train a network that judges clips of drawn faces: their Action Units, who is seen, and the expression.

    Two come with the package: one rewards, the other, held out, measures what was rewarded. Each learns from drawn
    actors whom the other never sees. Needs the extra [train].
    """

    out: Path
    """Folder for the network, the log and the states to resume from."""
    held_out: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train the one that measures what the other has rewarded: of another shape, on other people."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    settings: SightTraining = field(default_factory=SightTraining)

    def run(self) -> int:
        """Train, and print what it sees on actors that it was not trained on, and where it lies."""
        from mimica import checkpoint
        from mimica.cli.progress import Epochs
        from mimica.generation.rewards.train import train_sight

        refuse_unwritable(self.out)
        with Epochs(self.settings.epochs) as bar:
            path = train_sight(
                self.settings, out=self.out, which="held-out" if self.held_out else "rewarding", resume=self.resume,
                report=bar,
            )  # fmt: skip
        for name, value in checkpoint.read_facts(path)["metrics"].items():
            print(f"{name.replace('_', ' ')}: {value:.3f}")
        print(path)
        return 0
