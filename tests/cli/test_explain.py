from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import pytest

from drawn import alone, film, folder, photo, picture
from mimica.cli import DONE, FAILED, USAGE, main
from mimica.cli.explain import Explain
from mimica.reading.settings import Settings

Said = tuple[int, str, str]
"""The exit code, standard output and standard error of a command."""


@pytest.fixture
def explain(
    tmp_path: Path, tiny_model: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Said]:
    """Runs `mimica explain` on whole pictures with a tiny model in an empty folder; never is there a traceback."""
    monkeypatch.chdir(tmp_path)
    quick = ["--model", str(tiny_model), "--faces", "none", "--fps", "5", "--window", "4", "--stride", "4"]

    def run(*arguments: object) -> Said:
        code = main(["explain", *quick, *(str(argument) for argument in arguments)])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of two seconds: windows of 0.8 seconds, the last one of 0.4."""
    return film(tmp_path / "clip.mp4", alone(10), rate=5)


def test_a_picture_is_drawn_and_the_terminal_says_of_whom_when_and_where(
    explain: Callable[..., Said], clip: Path, tmp_path: Path
) -> None:
    code, out, err = explain(clip)
    assert (code, err) == (DONE, "")
    assert (tmp_path / "explain.png").read_bytes().startswith(b"\x89PNG")
    heading, chosen, path, notice = out.splitlines()
    assert re.fullmatch(r"clip\.mp4 · person 0 · \d\.\d\d to \d\.\d\d s · read as \w+, \d+ %( \(.+\))?", heading)
    assert chosen == "the only person; the surest of 3 windows"
    assert path == "explain.png"
    assert notice == "Apparent expression, not what someone feels."


def test_a_time_and_a_place_may_be_chosen(explain: Callable[..., Said], clip: Path, tmp_path: Path) -> None:
    code, out, _ = explain(clip, "--at", 1.9, "--person", 0, "--out", "new/picture.svg")
    assert code == DONE
    assert "1.60 to 2.00 s" in out
    assert "<svg" in (tmp_path / "new" / "picture.svg").read_text()


def test_a_window_is_as_long_as_asked_for(explain: Callable[..., Said], clip: Path) -> None:
    assert "0.00 to 1.60 s" in explain(clip, "--window", 8, "--stride", 8, "--at", 0.5)[1]


@pytest.mark.parametrize("kind", ["photo", "folder"])
def test_a_photo_and_a_folder_of_frames_are_clips_too(explain: Callable[..., Said], tmp_path: Path, kind: str) -> None:
    there = tmp_path / "source" / "frames"
    source = photo(tmp_path / "photo.png", picture({})) if kind == "photo" else folder(there, alone(6))
    code, out, _ = explain(source)
    assert code == DONE
    assert f"{source.name} · person 0 · 0.00 " in out


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["clip.mp4", "--out", "a.jpg"], USAGE, "unknown ending of a picture '.jpg'"),
        (["clip.mp4", "--person", "3"], USAGE, "there is no person 3 in clip.mp4; choose from person 0 (0.0 to 2.0 s)"),
        (["clip.mp4", "--at", "7"], USAGE, "no face is read at 7 s of clip.mp4; choose a time of person 0"),
        (["clip.mp4", "--window", "99"], USAGE, "at most 16 frames"),
        (["clip.mp4", "--model", "nobody"], USAGE, "unknown model 'nobody'"),
        (["photo.png", "--out", "photo.png"], USAGE, "would change photo.png"),
        (["camera:0"], USAGE, "camera:0 has no end"),
        (["gone.mp4"], FAILED, "there is no file or folder gone.mp4"),
        (["asset:mtcn"], FAILED, "did you mean 'mtcnn'"),
        (["."], FAILED, "holds 2 videos or pictures; name one of clip.mp4, photo.png"),
        (["clip.mp4", "--out", "photo.png/a.png"], FAILED, "--out"),
        ([], USAGE, "CLIP"),
    ],
)
def test_what_cannot_be_explained_is_a_sentence(
    explain: Callable[..., Said], clip: Path, tmp_path: Path, arguments: list[str], code: int, said: str
) -> None:
    photo(tmp_path / "photo.png", picture({}))
    before = sorted(path.name for path in tmp_path.iterdir())
    found, out, err = explain(*arguments)
    assert (found, out) == (code, "")
    assert said in err
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_a_clip_without_a_face_is_a_sentence(explain: Callable[..., Said], tmp_path: Path, clip: Path) -> None:
    from mimica import assets

    if assets.check("mtcnn") != "present":
        pytest.skip("the detector is not here")
    photo(tmp_path / "wall.png", picture({}))
    code, _, err = explain("wall.png", "--faces", "detect")
    assert code == FAILED
    assert "wall.png shows no face" in err


def test_a_missing_matplotlib_is_a_sentence_that_names_the_extra(
    explain: Callable[..., Said], clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, err = explain(clip)
    assert code == FAILED
    assert err == "mimica: this needs matplotlib; install it with: pip install 'mimica[train]'\n"


def test_flags_of_reading_are_those_of_predict() -> None:
    ours = {option.name: option.default for option in fields(Explain)}
    theirs = {option.name: option.default for option in fields(Settings)}
    assert theirs.keys() - ours.keys() == {"smooth"}, "a window is explained by itself"
    assert {name: ours[name] for name in theirs.keys() & ours.keys()} == {
        name: default for name, default in theirs.items() if name != "smooth"
    }
