"""What real folders hold, through the command line: each file is read, or refused in one sentence that names it."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from drawn import alone, film, photo, picture
from mimica.cli import DONE, FAILED
from mimica.video.read import open_video

Said = tuple[int, str, str]
"""The exit code, standard output and standard error of a command."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of two seconds."""
    return film(tmp_path / "clip.mp4", alone(10), rate=5)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def encoded(path: Path, times: list[int], *, sound: bool = False, turn: int = 0, pictures: bool = True) -> Path:
    """A video as cameras write it, with its index at the end: pictures at times in milliseconds, and a tone."""
    with av.open(path, "w") as container:
        stream: Any = container.add_stream("libx264", rate=25) if pictures else None
        audio = container.add_stream("aac", rate=16000) if sound else None
        if stream is not None:
            stream.width, stream.height, stream.pix_fmt = 160, 96, "yuv420p"
            stream.codec_context.time_base = Fraction(1, 1000)
            if turn:
                stream.set_display_rotation(turn)
            for at, image in zip(times, alone(len(times)), strict=True):
                frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format="yuv420p")
                frame.pts, frame.time_base = at, Fraction(1, 1000)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        if audio is not None:
            wave = np.sin(np.arange(8192) / 16).astype(np.float32)[None] * 0.2
            tone = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
            tone.sample_rate = 16000
            container.mux(audio.encode(tone))
            container.mux(audio.encode(None))
    return path


# What cannot be read


def test_what_is_no_video_is_refused_in_one_sentence_each_that_says_why(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "letter.mp4").write_text("a text that was renamed")
    whole = encoded(tmp_path / "whole.mp4", list(range(0, 2000, 40))).read_bytes()
    (tmp_path / "whole.mp4").unlink()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])  # the index stood at the end
    encoded(tmp_path / "song.mp4", [], sound=True, pictures=False)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8\xff\xe0" + bytes(100))
    code, out, err = mimica("predict", ".", *quick, "--format", "csv")
    assert code == FAILED
    why = {"empty.mp4": "0 bytes", "letter.mp4": "something else", "cut.mp4": "cut short", "song.mp4": "only sound",
           "photo.jpg": "picture"}  # fmt: skip
    assert len(err.splitlines()) == len(why)
    for name, reason in why.items():
        (line,) = (line for line in err.splitlines() if name in line)
        assert reason in line
        (row,) = (line for line in out.splitlines() if line.startswith(name))
        assert "failed" in row
    assert not list((tmp_path / "readings").glob("*.csv"))


def test_of_five_files_the_broken_one_costs_only_itself_and_the_table_says_which_and_why(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    for name in "abde":
        film(tmp_path / "five" / f"{name}.mp4", alone(5), rate=5)
    (tmp_path / "five" / "c.mp4").write_text("broken")
    code, out, _ = mimica("predict", "five", *quick, "--format", "csv")
    assert code == FAILED
    assert {path.stem for path in (tmp_path / "readings").glob("*.csv")} == set("abde")
    table, _, _ = out.partition("readings/")
    states = {line.split()[0]: line.split()[1] for line in table.splitlines()[1:] if line[:1] in "abcde"}
    assert states == {"a.mp4": "done", "b.mp4": "done", "c.mp4": "failed", "d.mp4": "done", "e.mp4": "done"}
    assert "c.mp4 is not a video that can be read: it is damaged, cut short or something else" in " ".join(
        table.split()
    )


def test_a_name_that_is_not_text_is_refused_in_a_sentence(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    try:
        clip.rename(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.mp4"))
    except OSError:
        pytest.skip("this file system holds only names in UTF-8")
    code, _, err = mimica("predict", ".", *quick, "--format", "csv")
    assert code == FAILED
    assert "caf?.mp4 is not text in UTF-8; rename it" in err


# What can be read


def test_a_video_of_one_frame_is_read_like_a_photo_that_lasts_as_long(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    encoded(tmp_path / "one.mp4", [0])
    assert mimica("predict", "one.mp4", *quick, "--format", "csv", "mp4", "html")[0] == DONE
    (row,) = rows(tmp_path / "readings" / "one.csv")
    assert (row["person"], row["start"]) == ("0", "0.000")
    assert 0 < float(row["end"]) <= 0.2
    with open_video(tmp_path / "readings" / "one.mp4") as video:
        assert len(list(video)) == 1


def test_a_still_of_8k_is_read_and_annotated(mimica: Callable[..., Said], quick: list[str], tmp_path: Path) -> None:
    Image.new("RGB", (7680, 4320), (90, 60, 50)).save(tmp_path / "wall.png", compress_level=1)
    code, _, err = mimica("predict", "wall.png", *quick, "--format", "csv", "mp4")
    assert (code, err) == (DONE, "")
    assert len(rows(tmp_path / "readings" / "wall.csv")) == 1
    with open_video(tmp_path / "readings" / "wall.mp4") as video:
        assert (video.info.width, video.info.height) == (7680, 4320)


@pytest.mark.parametrize("size", [(7680, 4320), (4000, 40), (1, 1)])
def test_a_picture_of_any_size_is_searched_for_faces(
    mimica: Callable[..., Said], tiny_model: Path, tmp_path: Path, size: tuple[int, int]
) -> None:
    Image.new("RGB", size, (90, 60, 50)).save(tmp_path / "wall.png", compress_level=1)
    code, out, err = mimica("predict", "wall.png", "--model", tiny_model, "--out", "-")
    assert (code, [json.loads(line)["status"] for line in out.splitlines()]) == (DONE, ["no_face"]), err


def test_a_video_without_a_face_is_read_to_its_end_and_says_so_for_all_of_it(
    mimica: Callable[..., Said], tiny_model: Path, tmp_path: Path
) -> None:
    film(tmp_path / "wall.mp4", [picture({})] * 15, rate=5)
    fast = ["--fps", "5", "--window", "4", "--stride", "4"]
    code, out, _ = mimica("predict", "wall.mp4", "--model", tiny_model, *fast, "--format", "csv")
    told = rows(tmp_path / "readings" / "wall.csv")
    assert code == DONE
    assert {row["status"] for row in told} == {"no_face"}
    assert (float(told[0]["start"]), float(told[-1]["end"])) == (0.0, pytest.approx(3.0, abs=0.01))
    assert "100%" in out


def test_a_phone_video_that_is_turned_is_read_and_annotated_upright(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    encoded(tmp_path / "phone.mp4", list(range(0, 1000, 100)), turn=90)
    assert mimica("predict", "phone.mp4", *quick, "--format", "csv", "mp4")[0] == DONE
    with open_video(tmp_path / "phone.mp4") as video:
        upright = next(iter(video)).image
    with open_video(tmp_path / "readings" / "phone.mp4") as video:
        assert (video.info.width, video.info.height, video.info.rotation) == (96, 160, 0)
        annotated = next(iter(video)).image
    middle = np.s_[70:100, 30:66]
    assert np.abs(upright[middle].astype(int) - annotated[middle]).mean() < 20


def test_a_variable_frame_rate_is_read_at_its_true_times(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    times = [0, 210, 400, 640, 810, 1800, 2000, 2210, 2400]
    encoded(tmp_path / "phone.mp4", times)
    assert mimica("predict", "phone.mp4", *quick, "--format", "csv", "mp4")[0] == DONE
    told = [(float(row["start"]), float(row["end"])) for row in rows(tmp_path / "readings" / "phone.csv")]
    # Windows of 0.8 s; the frames of each last a fifth of a second.
    assert told == [(0.0, 0.8), (0.81, pytest.approx(1.01)), (1.8, 2.4), (2.4, pytest.approx(2.44, abs=0.2))]
    with open_video(tmp_path / "readings" / "phone.mp4") as video:
        assert [frame.time for frame in video] == pytest.approx([t / 1000 for t in times], abs=1e-3)


def test_a_panorama_too_wide_for_a_video_is_annotated_smaller(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    photo(tmp_path / "wide.png", np.zeros((64, 20000, 3), np.uint8))
    assert mimica("predict", "wide.png", *quick, "--format", "csv", "mp4")[0] == DONE
    with open_video(tmp_path / "readings" / "wide.mp4") as video:
        assert (video.info.width, video.info.height) == (16384, 54)


def test_a_name_as_long_as_file_systems_allow_has_outputs(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    for letter in "AB":
        (tmp_path / f"{'表' * 80}{letter}.mp4").write_bytes(clip.read_bytes())
    clip.unlink()
    code, _, err = mimica("predict", ".", *quick, "--format", "csv", "parquet")
    assert (code, err) == (DONE, "")
    assert len(list((tmp_path / "readings").glob("表*.csv"))) == 2


def plain_letters(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Standard output as a terminal of ASCII letters has it; gives what is written to it."""
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="ascii", write_through=True))
    return written


def test_a_log_that_holds_only_plain_letters_still_gets_every_line(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip.rename(tmp_path / "кадр.mp4")
    log = plain_letters(monkeypatch)
    assert mimica("predict", "кадр.mp4", *quick, "--format", "csv")[0] == DONE
    assert b"\\u043a" in log.getvalue()


def test_a_stream_of_readings_is_utf_8_whatever_the_terminal_is(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clip.rename(tmp_path / "кадр.mp4")
    pipe = plain_letters(monkeypatch)
    assert mimica("predict", "кадр.mp4", *quick, "--out", "-")[0] == DONE
    records = [json.loads(line) for line in pipe.getvalue().decode().splitlines()]
    assert {record["source"] for record in records} == {"кадр.mp4"}


# What is there already


def test_neither_a_source_nor_anyones_own_file_is_written_over(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    (tmp_path / "clip.eaf").write_text("a month of annotation")
    before = clip.read_bytes()
    for _ in range(2):
        code, out, _ = mimica("predict", "clip.mp4", *quick, "--out", ".", "--format", "csv", "eaf", "mp4", "--again")
        assert code == DONE
        assert clip.read_bytes() == before
        assert (tmp_path / "clip.eaf").read_text() == "a month of annotation"
        assert "clip-mp4.csv" in out
    found = {path.name for path in tmp_path.iterdir()}
    assert found == {"clip.mp4", "clip.eaf", "clip-mp4.csv", "clip-mp4.eaf", "clip-mp4.mp4", "mimica.json"}


def test_what_was_written_into_a_folder_is_not_read_when_the_folder_is_read_again(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        assert mimica("predict", ".", *quick, "--out", ".", "--format", "mp4")[0] == DONE
    assert {path.name for path in tmp_path.glob("*.mp4")} == {"clip.mp4", "clip-mp4.mp4"}
    clip.unlink()
    code, _, err = mimica("predict", ".", *quick, "--out", ".", "--format", "mp4")
    assert code == FAILED
    assert "nothing to read but what earlier runs wrote" in err
    code, out, _ = mimica("predict", "./clip-mp4.mp4", *quick, "--out", ".", "--format", "csv")
    assert (code, "done" in out) == (DONE, True)


# A run that is killed


@pytest.fixture
def killed(quick: list[str], clip: Path, tmp_path: Path) -> list[object]:
    """The command of a run that was killed in the middle of its second source of three."""
    film(tmp_path / "long.mp4", [alone(1)[0]] * 1500, rate=30)
    film(tmp_path / "more.mp4", alone(10), rate=5)
    command = ["predict", clip, "long.mp4", "more.mp4", *quick, "--fps", "30", "--stride", "1", "--format", "csv"]
    child = subprocess.Popen(
        [sys.executable, "-m", "mimica", *map(str, command)], cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    until = time.monotonic() + 120
    part = tmp_path / "readings" / ".long.csv.part"
    while child.poll() is None and not (part.exists() and part.stat().st_size > 0) and time.monotonic() < until:
        time.sleep(0.02)
    child.kill()
    assert child.wait() == -signal.SIGKILL
    return command


def test_a_killed_run_leaves_no_half_a_table_and_the_next_reads_only_what_is_missing(
    mimica: Callable[..., Said], killed: list[object], tmp_path: Path
) -> None:
    out = tmp_path / "readings"
    assert {path.name for path in out.iterdir()} == {"clip.csv", ".long.csv.part", "mimica.json"}
    whole, read_at = (out / "clip.csv").read_bytes(), (out / "clip.csv").stat().st_mtime_ns
    film(tmp_path / "long.mp4", alone(10), rate=5)  # shorter, so that the test is
    code, said, _ = mimica(*killed)
    assert code == DONE
    states = {line.split()[0]: line.split()[1] for line in said.splitlines() if ".mp4" in line.split(" ")[0]}
    assert states == {"clip.mp4": "skipped", "long.mp4": "done", "more.mp4": "done"}
    assert ((out / "clip.csv").read_bytes(), (out / "clip.csv").stat().st_mtime_ns) == (whole, read_at)
    assert {path.name for path in out.iterdir()} == {"clip.csv", "long.csv", "more.csv", "mimica.json"}
    assert rows(out / "long.csv")
