"""A stand-in for mediapipe that says of each picture what a script says, and a small head without training."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

Scores = Mapping[str, float] | None


@pytest.fixture
def landmarker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[Sequence[Scores]], list[Any]]:
    """Puts a scripted face landmarker in the place of mediapipe's; gives the pictures that it was shown."""

    def scripted(script: Sequence[Scores]) -> list[Any]:
        from mimica import assets

        shown: list[Any] = []
        waiting = iter(script)

        def detect(image: Any) -> Any:
            shown.append(image.data)
            scores = next(waiting)
            shapes = [SimpleNamespace(category_name=name, score=value) for name, value in (scores or {}).items()]
            return SimpleNamespace(face_blendshapes=[] if scores is None else [shapes])

        base, vision, mediapipe = (ModuleType(name) for name in ("python", "vision", "mediapipe"))
        base.BaseOptions = lambda model_asset_buffer: SimpleNamespace(buffer=model_asset_buffer)  # type: ignore[attr-defined]
        vision.FaceLandmarkerOptions = SimpleNamespace  # type: ignore[attr-defined]
        made = SimpleNamespace(detect=detect, _handle=1)
        vision.FaceLandmarker = SimpleNamespace(create_from_options=lambda options: made)  # type: ignore[attr-defined]
        mediapipe.Image = SimpleNamespace  # type: ignore[attr-defined]
        mediapipe.ImageFormat = SimpleNamespace(SRGB=1)  # type: ignore[attr-defined]
        for name, module in (
            ("mediapipe", mediapipe), ("mediapipe.tasks", ModuleType("tasks")), ("mediapipe.tasks.python", base),
            ("mediapipe.tasks.python.vision", vision),
        ):  # fmt: skip
            monkeypatch.setitem(sys.modules, name, module)
        file = tmp_path / "face_landmarker.task"
        file.write_bytes(b"task")
        monkeypatch.setattr(assets, "file", {"face-landmarker": file}.__getitem__)
        return shown

    return scripted
