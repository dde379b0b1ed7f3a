"""What size, blur and darkness leave of a recogniser's accuracy: where the rules of `faces/quality.py` come from.

Takes pictures that are a face already and that the recogniser has not learned from, spoils them step by
step, and prints what is left of the accuracy above chance. What it does not show: faces turned aside,
faces that are both small and blurred, and how far the steps are like what cameras do.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import machine
import numpy as np
from PIL import Image
from rich.console import Console
from rich.progress import track
from rich.table import Table

from mimica.clips import Clip, Face
from mimica.data.clipset import Item, items
from mimica.data.degrade import blurred, dimmed, shrunk
from mimica.faces.crop import face_view
from mimica.faces.quality import judge
from mimica.recognition.model import Recogniser
from mimica.recognition.registry import load

STEPS: dict[str, tuple[Callable[[np.ndarray, float], np.ndarray], tuple[float, ...]]] = {
    "side in pixels": (lambda image, side: shrunk(image, int(side)), (8, 10, 12, 16, 20, 24, 32, 40)),
    "blur, sigma of 48": (blurred, (0.5, 1, 1.5, 2, 2.5, 3, 4)),
    "brightness times": (dimmed, (0.4, 0.2, 0.1, 0.05, 0.03)),
}


def read(recogniser: Recogniser, found: list[Item], spoil: Callable[[np.ndarray], np.ndarray]) -> dict[str, float]:
    """Figures of the files, each picture spoilt before it is judged and read, and the median of their blur."""
    right, blur, sure = [], [], []
    for clips in _batches(recogniser, found, spoil, blur):
        shares = recogniser.probabilities([clip for clip, _ in clips])
        right += [int(share.argmax()) == label for share, (_, label) in zip(shares, clips, strict=True)]
        sure += shares.max(1).tolist()
    return {"war": float(np.mean(right)), "confidence": float(np.mean(sure)), "blur": float(np.median(blur))}


def _batches(
    recogniser: Recogniser, found: list[Item], spoil: Callable[[np.ndarray], np.ndarray], blur: list[float]
) -> Iterator[list[tuple[Clip, int]]]:
    clips: list[tuple[Clip, int]] = []
    for item in found:
        image = spoil(np.asarray(Image.open(item.path).convert("RGB")))
        H, W = image.shape[:2]
        face = Face(box=np.array([0.0, 0.0, W, H]), score=1.0)
        quality = judge(image, face)
        blur.append(quality.blur)
        view = face_view(image, face.box, size=recogniser.size, margin=0.0)[None]
        marks = np.array([quality.score])
        clips.append((Clip(person=0, start=0.0, end=0.0, faces=view, times=np.zeros(1), quality=marks), item.label))
        if len(clips) == 64:
            yield clips
            clips = []
    if clips:
        yield clips


def main() -> None:
    chosen = _chosen()
    recogniser = load(chosen.model)
    found = items(chosen.data, space=recogniser.space)
    chance = 1 / len(recogniser.space)
    whole = read(recogniser, found, lambda image: image)
    steps = []
    for what, (spoil, values) in STEPS.items():
        for value in track(values, what, transient=True):
            figures = read(recogniser, found, lambda image, spoil=spoil, value=value: spoil(image, value))  # type: ignore[misc]
            left = (figures["war"] - chance) / (whole["war"] - chance)
            steps.append({"what": what, "value": value, "left": left, **figures})
    _print(whole, steps)
    result = {
        "data": Path(chosen.data.partition(":")[2]).name, "n": len(found), "model": chosen.model,
        "undegraded": whole, "steps": steps, "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    machine.keep(chosen.json, result)


def _print(whole: dict[str, float], steps: list[dict[str, object]]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("", "", "WAR", "confidence", "judged blur", "left above chance"):
        table.add_column(column, justify="right" if column else "left")
    table.add_row("as they are", "", *(f"{whole[key]:.3f}" for key in ("war", "confidence", "blur")), "1.00")
    for step in steps:
        figures = (f"{step[key]:.3f}" for key in ("war", "confidence", "blur"))
        table.add_row(str(step["what"]), f"{step['value']:g}", *figures, f"{step['left']:.2f}")
    Console().print(table)


def _chosen() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", help="folder:PATH or table:FILE of pictures that are a face already")
    parser.add_argument("--model", default="duse-compact")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


if __name__ == "__main__":
    main()
