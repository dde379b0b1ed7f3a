"""`mimica explain`: one picture of what a reading came of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Explain:
    """Draw what one window of one person was read from: weights of frames and of class texts, and the texts."""

    clip: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="CLIP")]
    """A video, a photo, a folder of frames, or asset:NAME."""
    out: Path = Path("explain.png")
    """Where to draw it; .png, .svg or .pdf."""
    model: str = "duse-compact"
    """A recogniser by name (mimica models list) or the path that training wrote."""
    person: int | None = None
    """Whose window, as numbered in readings; the one followed longest where not given."""
    at: float | None = None
    """A time in seconds that lies in the window; the surest window where not given."""
    faces: Literal["detect", "none"] = "detect"
    """Find faces, or take each picture as one face that is already cropped."""
    fps: float = 8.0
    """Frames a second that are looked at; the rest are passed over, true times stay."""
    window: int | None = None
    """Frames in a window; the model's own number where not given."""
    stride: int | None = None
    """Frames from the start of a window to the start of the next; half a window where not given."""
    min_face: float | None = None
    """Smallest side in pixels of a face that is looked for; by default a fifteenth of the picture, at least 20."""
    unsure_below: float | None = None
    """Confidence below which a reading is unsure; the model's own fitted threshold where not given."""
    frame_rate: float = 25.0
    """Frames a second of a folder of pictures, which has no clock of its own."""
    device: str = "cpu"
    """Where the networks run: cpu, cuda, cuda:1, mps."""

    def run(self) -> int:
        """Read the clip, draw the picture, say where it is."""
        from rich.console import Console
        from rich.progress import Progress

        from mimica.look.picture import check
        from mimica.notice import SHORT
        from mimica.reading.explain import explain_source, one_source
        from mimica.reading.explain_picture import draw
        from mimica.reading.reader import Reader
        from mimica.reading.settings import Settings
        from mimica.recognition.registry import load

        source = one_source(self.clip)
        check(self.out, source)
        settings = Settings(
            faces=self.faces, fps=self.fps, window=self.window, stride=self.stride, min_face=self.min_face,
            unsure_below=self.unsure_below, frame_rate=self.frame_rate, device=self.device,
        )  # fmt: skip
        reader = Reader(load(self.model, device=self.device), settings)
        console = Console(soft_wrap=True, markup=False, highlight=False)
        with Progress(console=console, disable=not console.is_terminal, transient=True) as bar:
            task = bar.add_task("reading", total=None)
            found = explain_source(
                reader, source, person=self.person, at=self.at,
                progress=lambda seconds, of: bar.update(task, completed=seconds, total=of),
            )  # fmt: skip
        draw(found, self.out)
        for warning in found.warnings:
            Console(stderr=True, soft_wrap=True, markup=False, highlight=False).print(warning)
        for line in (found.heading, found.chosen, str(self.out), SHORT):
            console.print(line)
        return 0
