"""`mimica evaluate --protocol`, through the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.cli import DONE, FAILED, USAGE
from tiny_folds import dfew, models

Run = Callable[..., tuple[int, str, str]]


def test_five_folds_are_measured_with_a_model_each(mimica: Run, tmp_path: Path, tiny_model: Path) -> None:
    pattern = models(tiny_model, tmp_path / "runs")
    command = ("evaluate", f"dfew:{dfew(tmp_path / 'DFEW')}", "--protocol", "5fold", "--out", "out", "--model", pattern)
    code, out, err = mimica(*command)
    assert code == DONE, err
    assert [line.split()[0] for line in out.splitlines()][1:8] == ["1", "2", "3", "4", "5", "mean", "pooled"]
    assert "selected on: not stated" in out
    assert out.rstrip().endswith("out/report.html")
    assert Path("out/report.html").is_file()
    for clip in Path("DFEW/Clip/clip_224x224").iterdir():  # what is kept is not opened again
        for picture in clip.iterdir():
            picture.write_bytes(b"")
    assert mimica(*command)[:2] == (DONE, out)
    (tmp_path / "runs/fold3/duse-tiny.safetensors").unlink()
    code, _, err = mimica(*command)
    assert code == USAGE
    assert "fold 3" in err


def test_a_clip_that_could_not_be_read_makes_the_exit_code_1(mimica: Run, tmp_path: Path, tiny_model: Path) -> None:
    root = dfew(tmp_path / "DFEW")
    next((root / "Clip/clip_224x224/00001").iterdir()).write_bytes(b"no picture")
    code, out, _ = mimica("evaluate", f"dfew:{root}", "--protocol", "5fold", "--out", "out", "--model", tiny_model)
    assert code == FAILED
    assert "51 clips, 1 not read" in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--protocol", "5fold"], "--out"),
        (["--protocol", "5fold", "--out", "o", "--fold", "1"], "--fold"),
        (["--protocol", "5fold", "--out", "o", "--keep"], "--keep"),
        (["--protocol", "5fold", "--out", "o", "--fps", "3"], "--device"),
        (["--protocol", "5fold", "--out", "o", "--views", "0"], "at least one view"),
        (["--protocol", "5fold", "--out", "o", "--model", "runs/{fold}"], "fold 1"),
        (["--views", "2"], "--protocol"),
        (["--out", "o"], "--protocol"),
    ],
)
def test_what_does_not_go_with_a_protocol_is_refused(
    mimica: Run, tmp_path: Path, tiny_model: Path, given: list[str], said: str
) -> None:
    model = [] if "--model" in given else ["--model", str(tiny_model)]
    root = tmp_path / "DFEW" if (tmp_path / "DFEW").exists() else dfew(tmp_path / "DFEW", frames=1)
    code, _, err = mimica("evaluate", f"dfew:{root}", *given, *model)
    assert code == USAGE
    assert said in err
    assert not Path("o").exists()
