"""What a head turned aside leaves of a recogniser's accuracy, and how far `faces/quality.py` thinks it is turned.

Renders of ICT-FaceKit in colour, each face half as wide as its picture, go through the whole chain: they are found,
judged, cropped and read. Every sitter is rendered with every yaw and otherwise alike. What it does not show: real
heads, turned heads in motion, hair and hands before the face. Needs `[render]` and the asset `ict-face`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import machine
import numpy as np
from rich.console import Console
from rich.table import Table

YAWS = (0, 15, 30, 40, 50, 60, 70, 80)
SIDE = 192
_FIELDS = ("found", "turn", "score", "war", "left", "confidence")


def taken(yaw: float, number: int) -> Iterator[tuple[np.ndarray, str]]:
    """Stills uint8 [S, S, 3] of heads turned to their left by that many degrees, and what each shows."""
    from mimica.data.render import clips
    from mimica.data.render_shot import Shot

    def aside(shot: Shot) -> Shot:
        still = np.zeros_like(shot.yaw)
        return replace(shot, yaw=still + yaw, size=still + 0.5, right=still, up=still)

    shown = clips(number, size=SIDE, frames=1, part="test", seed=0, intensity=(0.8, 1.0), take=aside)
    for picture, label in zip(shown.face[:, 0].permute(0, 2, 3, 1).numpy(), shown.labels, strict=True):
        yield np.ascontiguousarray(picture), shown.space.names[int(label)]


def read(yaw: float, number: int, recogniser: Any, detector: Any) -> dict[str, float]:
    """Of stills with this yaw: the share in which one face is found, its median turn and score; how those are read."""
    from mimica.clips import Clip
    from mimica.faces.crop import FER_MARGIN, face_view
    from mimica.faces.quality import judge

    judged, clips, truth = [], [], []
    for picture, label in taken(yaw, number):
        for face in detector.detect([picture])[0][:1]:
            quality = judge(picture, face)
            judged.append((quality.turn, quality.score))
            view = face_view(picture, face.box, size=recogniser.size, margin=FER_MARGIN)[None]
            marks = np.array([quality.score])
            clips.append(Clip(person=0, start=0.0, end=0.0, faces=view, times=np.zeros(1), quality=marks))
            truth.append(recogniser.space.index(label))
    shares = np.concatenate([recogniser.probabilities(clips[first : first + 64]) for first in range(0, len(clips), 64)])
    turn, score = np.median(np.abs(np.array(judged, float)), axis=0)
    return {
        "yaw": float(yaw), "found": len(clips) / number, "turn": float(turn), "score": float(score),
        "war": float((shares.argmax(1) == truth).mean()), "confidence": float(shares.max(1).mean()),
    }  # fmt: skip


def main() -> None:
    parser = machine.flags(__doc__)
    parser.add_argument("--model", default="duse-compact")
    parser.add_argument("--number", type=int, default=210, help="of sitters and so of stills with each yaw")
    chosen = parser.parse_args()
    result: dict[str, Any] = {"machine": machine.settle(), "model": chosen.model, "number": chosen.number}
    import torch

    from mimica.faces.mtcnn import Mtcnn
    from mimica.recognition.registry import load

    torch.set_num_threads(chosen.threads)
    recogniser, detector = load(chosen.model), Mtcnn()
    chance = 1 / len(recogniser.space)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("yaw", "found", "judged turn", "score", "WAR", "left above chance", "confidence"):
        table.add_column(column, justify="right")
    steps: list[dict[str, float]] = []
    for yaw in YAWS:
        step = read(yaw, chosen.number, recogniser, detector)
        step["left"] = (step["war"] - chance) / ((steps or [step])[0]["war"] - chance)
        steps.append(step)
        table.add_row(str(yaw), *(f"{step[name]:.2f}" for name in _FIELDS))
    Console().print(table)
    machine.keep(chosen.json, result | {"steps": steps, "date": datetime.now(UTC).date().isoformat()})


if __name__ == "__main__":
    main()
