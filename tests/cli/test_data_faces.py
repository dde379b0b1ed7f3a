"""Raw videos from the command line to faces, and from those to a recogniser."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from drawn import Squares, alone, film
from mimica.cli import DONE, FAILED, USAGE
from mimica.faces import detect

Run = Callable[..., tuple[int, str, str]]
SMALL = ("--size", "32", "--min-frames", "4")


@pytest.fixture(autouse=True)
def videos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two short videos of each of two classes, a folder a class, and a detector that sees what is drawn."""
    monkeypatch.setattr(detect, "DETECTORS", {"mtcnn": lambda min_face, device: Squares()})
    for person, label in zip("ab", ("happiness", "anger"), strict=True):
        (tmp_path / "in" / label).mkdir(parents=True)
        for i in range(2):
            film(tmp_path / "in" / label / f"{label}{i}.mp4", alone(6 + i, person), rate=5)


def rows(name: str) -> list[dict[str, str]]:
    with Path(name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_faces_are_cut_and_the_tables_named(mimica: Run) -> None:
    code, out, err = mimica("data", "faces", "in/*", "--out", "set", "--classes-by-folder", *SMALL)
    assert (code, err) == (DONE, "")
    assert out.splitlines() == ["4 clips of 4 sources", "set/clips.csv", "set/faces.csv"]
    assert [row["label"] for row in rows("set/clips.csv")] == ["anger", "anger", "happiness", "happiness"]


def test_every_flag_reaches_what_is_cut(mimica: Run) -> None:
    Path("labels.csv").write_text("source,label\nanger1,fear\n")
    flags = ["--size", 40, "--margin", 0.25, "--fps", 2.5, "--min-face", 30, "--min-frames", 3, "--min-quality", 0.1,
             "--keep", "all", "--no-align", "--format", "png", "--labels", "labels.csv",
             "--scene-mask-face"]  # fmt: skip
    assert mimica("data", "faces", "in/anger", "--out", "set", *flags)[0] == DONE
    assert json.loads(Path("set/about.json").read_text())["facts"] == {
        "size": 40, "margin": 0.25, "fps": 2.5, "min_face": 30, "min_frames": 3, "min_quality": 0.1, "keep": "all",
        "align": False, "format": "png", "scene_mask_face": True,
    }  # fmt: skip
    assert [row["label"] for row in rows("set/clips.csv")] == ["", "fear"]
    pictures = list(Path("set/clips/anger1-0/faces").iterdir())
    assert {(path.suffix, Image.open(path).size) for path in pictures} == {(".png", (40, 40))}
    assert len(pictures) == 4, "7 frames at 5 a second, 2.5 a second of them"


def test_a_broken_source_is_said_and_the_exit_code_is_1(mimica: Run) -> None:
    Path("in/anger/broken.mp4").write_text("not a video")
    code, out, err = mimica("data", "faces", "in/anger", "--out", "set", *SMALL)
    assert code == FAILED
    assert err.count("\n") == 1
    assert err.startswith("failed in/anger/broken.mp4 is not a video")
    assert out.startswith("2 clips of 2 sources\n2 clips without a label")


def test_the_same_command_again_does_nothing_and_again_does_it_anew(mimica: Run) -> None:
    command = ("data", "faces", "in/anger", "--out", "set", *SMALL)
    first = mimica(*command)
    picture = Path("set/clips/anger0-0/faces/00000.jpg")
    picture.write_bytes(b"")
    assert mimica(*command) == first
    assert picture.stat().st_size == 0
    assert mimica(*command, "--again") == first
    assert picture.stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("--out", "set"), USAGE, "name at least one file, folder or glob"),
        (("in/anger",), USAGE, "--out"),
        (("camera:0", "--out", "set"), USAGE, "record the camera into a file first"),
        (("in/anger", "--out", "set", "--size", "9"), USAGE, "size must be 16 to 1024 pixels"),
        (("in/anger", "--out", "set", "--labels", "in"), FAILED, "cannot read in as CSV"),
        (("in/anger", "--out", "in/anger/anger0.mp4"), FAILED, "cannot write to in/anger/anger0.mp4"),
    ],
)
def test_what_cannot_be_done_is_a_sentence(mimica: Run, arguments: tuple[str, ...], code: int, said: str) -> None:
    got, _, err = mimica("data", "faces", *arguments)
    assert got == code
    assert said in err
    assert not Path("set").exists()


@pytest.mark.usefixtures("minilm")
def test_a_recogniser_is_trained_on_what_was_cut(mimica: Run, tiny_clip: Path) -> None:
    cut = ("data", "faces", "in/*", "--out", "set", *SMALL)
    train = (
        "train",
        "duse_vit_b32",
        "--encoder",
        tiny_clip,
        "--data",
        "table:set/clips.csv",
        "--out",
        "run",
        "--epochs",
        1,
    )
    assert mimica(*cut)[0] == DONE
    code, _, err = mimica(*train, "--epochs", 1)
    assert code == FAILED
    assert "set/clips.csv, row 2: it has no label; write its class there" in err
    assert "--labels FILE or --classes-by-folder" in err
    assert mimica(*cut, "--classes-by-folder")[0] == DONE
    code, out, err = mimica(*train, "--epochs", 1)
    assert (code, err) == (DONE, "")
    trained = json.loads(Path(out.splitlines()[-1]).with_suffix(".json").read_text())
    assert trained["data"]["classes"]["happiness"] == trained["data"]["classes"]["anger"] == 2
    assert trained["data"]["align"] is True, "the checkpoint says how the faces were cut"
