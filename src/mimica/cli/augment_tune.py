"""`mimica augment tune`: a generator tuned by rewards to do what plans say, watched by judges that reward nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.generation.diffusion.settings import Backend, Sampling
from mimica.generation.loop_settings import RewardSettings, TuningSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Tune:
    """Tune a generator by rewards on the faces and classes of your data: an adapter beside it, which it is used with.

    One judge rewards; another, held out, watches, and tuning stops where only the first is pleased. Needs the extra
    [generate].
    """

    data: str
    """table:FILE with unit curves, such as mimica data actor writes; its part train is learned from."""
    out: Path
    """Folder for adapter.safetensors, tuning.jsonl, steps.json and the state to resume from; DIR/tuning for a loop's
    report in DIR."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    targets: int = 48
    """How many plans, each with a still, it learns on; all classes have as many."""
    frames: int = 9
    """How many frames a clip has, at 8 a second; the nearest number that the generator can make is taken."""
    hold: float = 0.15
    """Share of the people of train that are held out, where the data has no part to validate with."""
    quality_at: tuple[int, ...] = (2, 4, 8, 16)
    """For which numbers of steps the quality of clips is measured at the end."""
    backend: Backend = "tiny"
    """The generator: tiny, a preview of 48 pixels on a CPU, or wan, ltx, cogvideox (extra [generate], a GPU)."""
    model: str | None = None
    """Its weights: for tiny the file that mimica augment train wrote, for the others a folder or a name on the hub."""
    guidance: float | None = None
    """How much the plan counts beyond what it was learned to; what suits the generator where none is given."""
    device: str = "cpu"
    """Where to compute: cpu, or cuda."""
    settings: TuningSettings = field(default_factory=TuningSettings)
    rewards: RewardSettings = field(default_factory=RewardSettings)

    def run(self) -> int:
        """Tune, and print what held-out judges say before and after, and where the adapter lies."""
        from rich.console import Console

        from mimica.cli.progress import counted
        from mimica.generation.tuned import tune_for

        refuse_unwritable(self.out)
        sampling = Sampling(
            backend=self.backend, model=self.model, guidance=self.guidance, seed=self.settings.seed
        )  # fmt: skip
        console = Console()
        with counted("tuning") as progress:

            def shown(row: Mapping[str, Any]) -> None:
                progress(min(int(row["iteration"]) + 1, self.settings.iterations), self.settings.iterations)
                if "held_out" in row:
                    console.print(
                        f"iteration {row['iteration']}: judges that reward {row['rewarding']:.3f}, held-out judges "
                        f"{row['held_out']:.3f}, clips of one plan differ by {row['diversity']:.3f}", highlight=False,
                        soft_wrap=True,
                    )  # fmt: skip

            found = tune_for(
                self.data, self.out, self.settings, sampling=sampling, rewards=self.rewards, frames=self.frames,
                number=self.targets, hold=self.hold, steps=self.quality_at, device=self.device, resume=self.resume,
                report=shown,
            )  # fmt: skip
        if found.stopped:
            print(f"Tuning stopped by itself: {found.stopped}")
        print(found.adapter)
        print(found.sentence())
        return 0
