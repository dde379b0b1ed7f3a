from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.cli import DONE, FAILED, USAGE

Run = Callable[..., tuple[int, str, str]]
TINY = ("--size", "16", "--frames", "4")


def labels(table: str) -> list[str]:
    with Path(table).open(newline="") as file:
        return [row["label"] for row in csv.DictReader(file)]


def test_synthetic_clips_are_drawn_and_their_table_and_sheet_named(mimica: Run) -> None:
    code, out, err = mimica("data", "actor", "--out", "drawn", "--clips", 7, *TINY)
    assert (code, err) == (DONE, "")
    table, sheet, said = out.splitlines()
    assert len(set(labels(table))) == 7
    assert Path(sheet).is_file()
    assert "7 synthetic clips of 4 frames" in said


def test_every_flag_reaches_the_actor(mimica: Run) -> None:
    flags = (
        "--task",
        "direction",
        "--part",
        "test",
        "--intensity",
        "0.9",
        "1",
        "--polarity-agrees",
        "0",
        "--seed",
        "5",
    )
    assert mimica("data", "actor", "--out", "drawn", "--clips", "4", *TINY, *flags)[0] == DONE
    assert labels("drawn/clips.csv") == ["onset", "offset", "offset", "onset"]
    code, _, err = mimica("data", "actor", "--out", "drawn", "--clips", 4)
    assert code == USAGE
    for other in (
        "size 16, not 64", "frames 4, not 16", "task direction, not emotion", "part test, not train", "seed 5, not 0",
        "intensity [0.9, 1.0], not [0.5, 1.0]", "polarity_agrees 0.0, not 0.8",
    ):  # fmt: skip
        assert other in err


def test_the_same_command_again_is_done_at_once(mimica: Run) -> None:
    command = ("data", "actor", "--out", "drawn", "--clips", 2, *TINY, "--proportions", "dfew")
    first = mimica(*command)
    assert mimica(*command) == first


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--clips", "0"), "clips must be 1 or more"),
        (("--clips", "2", "--size", "4"), "size must be 16 to 512 pixels"),
        (("--clips", "2", "--frames", "0"), "frames must be 1 or more"),
        (("--clips", "2", "--intensity", "0.9", "0.1"), "the lower one first"),
        (("--clips", "2", "--polarity-agrees", "80"), "polarity-agrees must be from 0 to 1"),
        (("--clips", "3", "--task", "direction", "--part", "test"), "clips must be even"),
        (("--clips", "2", "--task", "direction", "--frames", "1"), "two frames or more"),
        (("--clips", "2", "--task", "directions"), "directions"),
        (("--clips", "2", "--part", "holdout"), "holdout"),
        ((), "--clips"),
    ],
)
def test_what_cannot_be_drawn_exits_with_2_and_writes_nothing(mimica: Run, flags: tuple[str, ...], said: str) -> None:
    code, _, err = mimica("data", "actor", "--out", "drawn", *flags)
    assert code == USAGE
    assert said in err
    assert not Path("drawn").exists()


def test_a_face_that_is_not_here_is_a_sentence_and_nothing_is_written(
    mimica: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "empty"))
    monkeypatch.setattr("mimica.data.render.context", lambda: None)
    code, _, err = mimica("data", "actor", "--out", "drawn", "--clips", 1, *TINY, "--render", "ict")
    assert code == FAILED
    assert "mimica assets fetch ict-face --source FOLDER" in err
    assert not Path("drawn").exists()


def test_what_to_do_with_data_must_be_said(mimica: Run) -> None:
    code, _, err = mimica("data")
    assert code == USAGE
    assert "actor" in err


def test_a_place_that_cannot_be_written_to_fails_with_a_sentence(mimica: Run, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, _, err = mimica("data", "actor", "--out", "file", "--clips", "1")
    assert code == FAILED
    assert err.startswith("mimica: cannot write to file: ")


def test_faces_are_packed_into_one_file_that_training_reads(mimica: Run) -> None:
    from mimica.data.clipset import load, load_held

    assert mimica("data", "actor", "--out", "drawn", "--clips", "6", *TINY)[0] == DONE
    code, out, err = mimica("data", "pack", "table:drawn/clips.csv", "--out", "faces.safetensors", "--size", "16")
    assert code == DONE, err
    assert out.splitlines()[-1] == "faces.safetensors"
    clips = load("packed:faces.safetensors", size=16)
    assert [len(frames) for frames in clips.frames] == [4] * 6
    assert load_held("packed:faces.safetensors", size=16) is None


def test_data_to_pack_that_is_not_there_is_refused(mimica: Run) -> None:
    code, _, err = mimica("data", "pack", "folder:nowhere", "--out", "faces.safetensors")
    assert code == FAILED
    assert "there is no nowhere" in err


def test_faces_are_put_before_scenes_that_train_can_read(mimica: Run) -> None:
    assert mimica("data", "actor", "--out", "drawn", "--clips", 4, *TINY)[0] == DONE
    given = ("data", "scenes", "table:drawn/clips.csv", "--out", "placed", "--size", 16, "--polarity-agrees", 1)
    code, out, err = mimica(*given)
    assert (code, err, out.splitlines()) == (DONE, "", ["train: 4 clips", "placed/clips.csv"])
    assert labels("placed/clips.csv") == labels("drawn/clips.csv")
    assert mimica(*given) == (code, out, err)
    code, _, err = mimica(*given, "--seed", 1)
    assert code == USAGE
    assert "choose another place with --out" in err
