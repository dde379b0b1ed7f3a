from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from drawn import alone, film, folder, photo, picture
from filmed import Slow
from mimica.cli import DONE, FAILED, USAGE
from mimica.cli.progress import Bar

Said = tuple[int, str, str]
"""The exit code, standard output and standard error of a command."""


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of two seconds."""
    return film(tmp_path / "clip.mp4", alone(10), rate=5)


def process(arguments: Sequence[object], cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "mimica", *map(str, arguments)], cwd=cwd, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, env={**os.environ, "COLUMNS": "200"},
    )  # fmt: skip


# Reading


def test_a_video_is_read_into_the_formats_that_were_asked_for(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    code, out, err = mimica("predict", clip, *quick, "--out", "here", "--format", "csv", "jsonl", "vtt")
    assert (code, err) == (DONE, "")
    for kind in ("csv", "jsonl", "vtt"):
        assert (tmp_path / "here" / f"clip.{kind}").is_file()
        assert f"here/clip.{kind}" in out
    assert "not what someone feels" in out


def test_the_same_command_again_reads_only_what_is_missing(
    mimica: Callable[..., Said], quick: list[str], clip: Path
) -> None:
    for extra, state in (([], "done"), ([], "skipped"), (["--again"], "done")):
        code, out, _ = mimica("predict", clip, *quick, "--format", "csv", *extra)
        assert code == DONE
        assert state in out


def test_a_dash_streams_json_lines_and_nothing_else(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    code, out, err = mimica("predict", clip, *quick, "--out", "-")
    records = [json.loads(line) for line in out.splitlines()]
    assert code == DONE
    assert [record["start"] for record in records] == pytest.approx([0, 0.8, 1.6], abs=0.01)
    assert "not what someone feels" in err
    assert [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_folder_of_whatever_there_is(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    photo(tmp_path / "photo.png", picture({}))
    folder(tmp_path / "frames", alone(4))
    (tmp_path / "notes.txt").write_text("not media")
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("a text that was renamed")
    (tmp_path / "cut.mp4").write_bytes(clip.read_bytes()[:300])
    code, out, err = mimica("predict", ".", "frames", *quick, "--format", "csv")
    assert code == FAILED
    assert {path.stem for path in (tmp_path / "readings").glob("*.csv")} == {"clip", "photo", "frames"}
    for name in ("empty.mp4", "text.mp4", "cut.mp4"):
        assert len([line for line in err.splitlines() if name in line]) == 1, "one sentence each"
    assert "notes.txt" not in out + err


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("gone.mp4", "there is no file or folder gone.mp4"),
        ("*.avi", "matches nothing"),
        ("nothing", "holds no video or picture"),
        ("empty.mp4", "is empty"),
        ("camera:77", "camera:77 cannot be opened"),
        ("asset:mtcn", "did you mean 'mtcnn'"),
        ("[bold]odd[/].mp4", "[bold]odd[/].mp4"),
    ],
)
def test_a_source_that_cannot_be_read_fails_with_a_sentence(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path, source: str, said: str
) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "empty.mp4").touch()
    code, out, err = mimica("predict", source, *quick)
    assert code == FAILED
    assert said in err
    assert "failed" in out


def test_names_with_spaces_signs_and_other_scripts_are_names_like_others(
    mimica: Callable[..., Said], quick: list[str], clip: Path, tmp_path: Path
) -> None:
    odd = clip.rename(tmp_path / "[red] кадр 表情 #1.mp4")
    code, out, _ = mimica("predict", odd, *quick, "--format", "csv", "html")
    assert code == DONE
    assert "[red] кадр 表情 #1.csv" in out
    assert (tmp_path / "readings" / f"{odd.stem}.html").is_file()


def test_a_name_that_looks_like_markup_is_shown_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with Bar(False) as bar:
        bar("day/[red] a.mp4", 1.0, 2.0)
        bar.progress.console.print(bar.progress.get_renderable())
    assert "[red] a.mp4" in capsys.readouterr().out


def test_a_photo_without_a_face_is_read_and_says_so(
    mimica: Callable[..., Said], tiny_model: Path, tmp_path: Path
) -> None:
    source = photo(tmp_path / "wall.png", picture({}))
    code, out, err = mimica("predict", source, "--model", tiny_model, "--out", "-")
    assert (code, [json.loads(line)["status"] for line in out.splitlines()]) == (DONE, ["no_face"]), err


# What was not understood


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "predict"),
        (["predct"], "predict"),
        (["predict"], "at least one file"),
        (["predict", "clip.mp4", "--outt", "x"], "--outt"),
        (["predict", "clip.mp4", "--format", "cvs"], "cvs"),
        (["predict", "clip.mp4", "--model", "nobody"], "unknown model 'nobody'"),
        (["predict", "clip.mp4", "--fps", "fast"], "fast"),
        (["predict", "clip.mp4", "--fps", "0"], "fps must be a number above 0, got 0"),
        (["predict", "clip.mp4", "--unsure-below", "50"], "confidence from 0 to 1"),
        (["predict", "clip.mp4", "--faces", "all"], "all"),
        (["predict", "clip.mp4", "--jobs", "0"], "jobs must be 1 or more"),
        (["evaluate"], "DATA"),
        (["evaluate", "faces"], "folder:PATH"),
        (["models", "show", "nobody"], "unknown model 'nobody'"),
        (["assets", "fetch"], "mtcnn"),
        (["assets", "fetch", "mtcn"], "did you mean 'mtcnn'"),
        (["assets", "check", "mtcn"], "did you mean 'mtcnn'"),
        (["train", "duse", "--data", "folder:.", "--out", "x"], "unknown training recipe 'duse'"),
        (["pretrain", "duse", "--data", "folder:.", "--out", "x"], "unknown pretraining recipe 'duse'"),
        (["train", "duse_compact"], "--data"),
        (["train"], "RECIPE"),
        (["models", "show"], "NAME"),
    ],
)
def test_a_command_that_is_not_understood_exits_with_2_and_says_what_there_is(
    mimica: Callable[..., Said], tiny_model: Path, arguments: list[str], said: str
) -> None:
    reads = arguments[:1] in (["predict"], ["evaluate"]) and "--model" not in arguments
    model = ["--model", str(tiny_model)] if reads else []
    code, _, err = mimica(*arguments, *model)
    assert code == USAGE
    assert said in err


@pytest.mark.parametrize("arguments", [["--help"], ["predict", "--help"], ["assets", "fetch", "--help"], ["--version"]])
def test_asking_for_help_is_no_mistake(mimica: Callable[..., Said], arguments: list[str]) -> None:
    code, out, err = mimica(*arguments)
    assert (code, err) == (DONE, "")
    assert "mimica" in out


def test_a_folder_that_cannot_be_written_to_is_a_sentence(
    mimica: Callable[..., Said], quick: list[str], clip: Path
) -> None:
    code, _, err = mimica("predict", clip, *quick, "--out", clip / "out")
    assert code == FAILED
    assert "cannot write" in err
    assert "--out" in err


# The other verbs


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """Two photos of two classes."""
    for i, name in enumerate(("happiness", "sadness")):
        (tmp_path / "faces" / name).mkdir(parents=True)
        photo(tmp_path / "faces" / name / "one.png", picture({"a": (20, 20)}, i))
    return tmp_path / "faces"


def test_evaluation_prints_its_figures_and_writes_them_as_json(
    mimica: Callable[..., Said], quick: list[str], faces: Path, tmp_path: Path
) -> None:
    code, out, _ = mimica("evaluate", f"folder:{faces}", *quick, "--json", "new/figures.json")
    figures = json.loads((tmp_path / "new" / "figures.json").read_text())
    assert code == DONE
    assert {"war", "uar", "per_class", "confusion", "ece", "n", "model", "data", "settings"} <= figures.keys()
    assert f"WAR {figures['war']:.3f}" in out
    assert f"UAR {figures['uar']:.3f}" in out
    assert figures["n"] == 2


def test_evaluation_of_files_that_cannot_be_read_fails_and_names_them(
    mimica: Callable[..., Said], quick: list[str], tmp_path: Path
) -> None:
    (tmp_path / "faces" / "fear").mkdir(parents=True)
    (tmp_path / "faces" / "fear" / "bad.png").write_text("not a picture")
    code, out, _ = mimica("evaluate", "folder:faces", *quick, "--json", "figures.json")
    assert code == FAILED
    assert "bad.png" in out
    assert json.loads((tmp_path / "figures.json").read_text())["ece"] is None


def test_figures_that_cannot_be_written_are_a_sentence(
    mimica: Callable[..., Said], quick: list[str], faces: Path
) -> None:
    (faces / "blocked").write_text("")
    code, _, err = mimica("evaluate", f"folder:{faces}", *quick, "--json", faces / "blocked" / "figures.json")
    assert code == FAILED
    assert "--json" in err


def test_a_model_is_shown_with_its_facts(mimica: Callable[..., Said], tiny_model: Path) -> None:
    code, out, _ = mimica("models", "show", tiny_model)
    assert code == DONE
    options, _, facts = out.partition("\n\n")
    assert json.loads(facts)["architecture"] == "duse"
    assert "similarity" in options


def test_models_and_assets_are_listed(mimica: Callable[..., Said]) -> None:
    assert mimica("models", "list")[0] == DONE
    code, out, _ = mimica("assets", "list")
    assert code == DONE
    assert "mtcnn" in out
    assert "licences" in out


def test_an_asset_that_is_missing_fails_the_check_of_its_name(
    mimica: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "nowhere"))
    assert mimica("assets", "check")[0] == DONE
    code, out, _ = mimica("assets", "check", "mtcnn")
    assert (code, out) == (FAILED, "mtcnn: missing\n")


def test_reading_without_the_detector_says_how_to_get_it(
    mimica: Callable[..., Said], tiny_model: Path, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "nowhere"))
    code, _, err = mimica("predict", clip, "--model", tiny_model)
    assert code == FAILED
    assert "mimica assets fetch mtcnn" in err


def test_the_doctor_finds_what_is_missing(
    mimica: Callable[..., Said], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path / "nowhere"))
    code, out, _ = mimica("doctor")
    assert code == FAILED
    assert "problem: the face detector's weights are missing" in out


# As a process


def test_help_waits_for_no_heavy_library() -> None:
    script = (
        "import sys; from mimica.cli import main; code = main(['predict', '--help']); "
        "heavy = {'torch', 'av', 'plotly', 'numpy', 'scipy', 'PIL', 'pyarrow', 'transformers'} & sys.modules.keys(); "
        "sys.exit(code or ', '.join(heavy) or 0)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--blur-faces" in done.stdout


def test_python_m_mimica_is_mimica(tmp_path: Path) -> None:
    with process(["--version"], tmp_path) as child:
        out, err = child.communicate()
    assert (child.returncode, err) == (DONE, "")
    assert out.startswith("mimica ")


@pytest.fixture
def long(tmp_path: Path) -> Path:
    """A video that takes longer to read than a test should."""
    return film(tmp_path / "long.mp4", [alone(1)[0]] * 3000, rate=30)


def test_ctrl_c_ends_cleanly_and_keeps_what_was_read(quick: list[str], long: Path, clip: Path, tmp_path: Path) -> None:
    slow = [*quick, "--fps", "30", "--stride", "1", "--format", "csv", "jsonl"]
    with process(["predict", long, clip, *slow], tmp_path) as child:
        until = time.monotonic() + 30
        while not (tmp_path / "readings" / ".long.csv.part").exists() and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=180)
    assert child.returncode == FAILED
    assert "what is finished is kept" in err
    assert "Traceback" not in err
    assert "stopped" in out
    with (tmp_path / "readings" / "long.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    records = [json.loads(line) for line in (tmp_path / "readings" / "long.jsonl").read_text().splitlines()]
    assert [row["end"] for row in rows] == [f"{record['end']:.3f}" for record in records]
    assert not list((tmp_path / "readings").glob("*.part"))
    assert not (tmp_path / "readings" / "clip.csv").exists(), "what was not begun is not there"


def test_whoever_reads_our_output_may_stop_when_they_have_enough(quick: list[str], long: Path, tmp_path: Path) -> None:
    with process(["predict", long, *quick, "--fps", "30", "--stride", "1", "--out", "-"], tmp_path) as child:
        assert child.stdout is not None
        assert json.loads(child.stdout.readline())["person"] == 0
        child.stdout.close()
        err = child.stderr.read() if child.stderr else ""
    assert (child.returncode, err) == (DONE, "")


def test_a_camera_that_is_too_fast_is_said_on_standard_error_while_it_lasts_and_at_the_end(
    mimica: Callable[..., Said], quick: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    device = Slow(alone(100), rate=10, pause=4, waits=lambda index: index % 2 == 0)
    monkeypatch.setattr("mimica.video.read.open_camera", lambda name, notes: device)
    code, out, err = mimica("predict", "camera:0", *quick, "--out", "-")
    assert code == DONE
    assert {json.loads(line)["source"] for line in out.splitlines()} == {"camera:0"}
    falling, fell = (line for line in err.splitlines() if "dropped" in line)
    assert "camera:0: falling behind" in falling
    assert "camera:0 was faster than reading: " in fell
    assert "of 50 frames to be read" in fell


def test_an_error_that_nobody_foresaw_is_one_sentence_with_its_place_in_the_code(
    mimica: Callable[..., Said], faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by\nnought")

    monkeypatch.setattr("mimica.recognition.registry.load", broken)
    code, _, err = mimica("evaluate", f"folder:{faces}", "--faces", "none")
    assert code == FAILED
    assert err.count("\n") == 1
    assert "defect of Mimica" in err
    assert "ZeroDivisionError: by nought, in test_cli.py line" in err


def test_who_asks_for_the_traceback_gets_it(
    mimica: Callable[..., Said], faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimica.recognition.registry.load", None)
    monkeypatch.setenv("MIMICA_TRACEBACK", "1")
    with pytest.raises(TypeError):
        mimica("evaluate", f"folder:{faces}", "--faces", "none")
