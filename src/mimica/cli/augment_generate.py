"""`mimica augment train` and `mimica augment generate`: a generator of clips, and clips from one photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from mimica.cli.loop import refuse_unwritable
from mimica.generation.diffusion.settings import Sampling, TinyTraining


@dataclass(frozen=True, slots=True, kw_only=True)
class Train:
    """Train the tiny generator: a still of a face and the strength of each Action Unit in each frame to a clip.

    Without --data it learns from drawn actors, new ones in every epoch. Needs the extra [train].
    """

    out: Path
    """Folder for the generator, the logs and the states to resume from."""
    data: str | None = None
    """table:FILE with unit curves, such as mimica data actor writes; clips of other parts than train are not read."""
    also: str | None = None
    """table:FILE of other clips, such as mimica data actor --render ict writes; every third epoch learns from them."""
    start: Path | None = None
    """A generator to begin with: its codec is kept, and its flow learns on."""
    resume: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Go on from where the run in --out was last saved; without, it begins anew."""
    settings: TinyTraining = field(default_factory=TinyTraining)

    def run(self) -> int:
        """Train, and print where the generator lies."""
        from contextlib import ExitStack

        from mimica.cli.progress import Epochs
        from mimica.generation.diffusion.train import train_tiny
        from mimica.training.loop import Report

        refuse_unwritable(self.out)
        epochs = {"rig": self.settings.rig_epochs, "flow": self.settings.epochs}
        with ExitStack() as shown:

            def bar(phase: str) -> Report:
                shown.close()  # one bar at a time
                return shown.enter_context(Epochs(epochs[phase]))

            path = train_tiny(
                self.settings,
                out=self.out,
                data=self.data,
                also=self.also,
                start=self.start,
                resume=self.resume,
                report=bar,
            )
        print(path)
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Clips of one expression at several strengths from one photo of a face: an intensity ladder.

    With the tiny generator it is a preview. A clip is synthetic, and beside each stands where it comes from.
    """

    face: str
    """A photo, or asset:NAME; of several faces the largest is taken."""
    label: str
    """Which expression, of the seven."""
    out: Path
    """Folder for a video and its provenance for each intensity, and one picture of all."""
    intensity: tuple[float, ...] = (0.2, 0.6, 1.0)
    """How strong the strongest unit becomes, above 0 to 1; a clip for each."""
    units: tuple[int, ...] = ()
    """Action Units that are shown whatever is likely, by their FACS numbers."""
    frames: int = 17
    """How many frames, at 8 a second; the nearest number that the generator can make is taken."""
    device: str = "cpu"
    """Where to compute: cpu, or cuda."""
    sampling: Sampling = field(default_factory=Sampling)

    def run(self) -> int:
        """Generate, and print where the clips lie."""
        from mimica.assets import named
        from mimica.cli.progress import counted
        from mimica.generation.ladder import PREVIEW, SYNTHETIC, write_ladder

        refuse_unwritable(self.out)
        with counted("generating") as progress:
            clips = write_ladder(
                named(self.face), self.out, label=self.label, intensities=self.intensity, units=self.units,
                frames=self.frames, sampling=self.sampling, device=self.device, progress=progress,
            )  # fmt: skip
        print(SYNTHETIC)
        if self.sampling.backend == "tiny":
            print(PREVIEW)
        for path in clips:
            print(path)
        return 0
