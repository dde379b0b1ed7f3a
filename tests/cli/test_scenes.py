"""Commands with a model that reads the scene beside the face."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from drawn import Squares, alone, film, folder
from mimica.cli import DONE, FAILED, USAGE
from mimica.encoders.towers import DualEncoder
from mimica.labels import EXPRESSIONS
from mimica.recognition.ous.config import OusConfig
from mimica.recognition.ous.model import Ous
from mimica.recognition.store import save_recogniser

Command = Callable[..., tuple[int, str, str]]
INSTEAD = "take a model of faces alone, such as duse-compact"


@pytest.fixture(scope="module")
def of_both(tmp_path_factory: pytest.TempPathFactory, tiny_dual: DualEncoder) -> Path:
    """The file of an OUS over the tiny towers that was never trained."""
    torch.manual_seed(3)
    small = OusConfig(frames_layers=1, frames_heads=2, blocks=1, fusion_heads=2, prompt=2, start="random")
    ous = Ous(tiny_dual.vision, tiny_dual.text, EXPRESSIONS, small, log_scale=math.log(100))
    path = tmp_path_factory.mktemp("tiny-ous") / "ous-tiny.safetensors"
    card = {"temperature": 1.0, "unsure_below": 0.0, "calibrated_on": None, "metrics": {}, "date": "2026-01-01"}
    save_recogniser(path, ous, encoder=tiny_dual, facts={"frames": 16, "data": {"origin": "none"}, **card})
    return path


def test_predict_writes_what_face_and_scene_say_alone_and_a_page_of_three_rows(
    mimica: Command, of_both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mimica.reading.sightings.load_detector", lambda *how, **other: Squares())
    film(tmp_path / "a.mp4", alone(50))
    how = ("--fps", "10", "--window", "8", "--stride", "4", "--format", "csv", "jsonl", "html")
    code, _, _ = mimica("predict", tmp_path / "a.mp4", "--model", of_both, "--out", "out", *how)
    assert code == DONE
    row = next(csv.DictReader((tmp_path / "out" / "a.csv").open()))
    for view in ("face", "scene"):
        assert sum(float(row[f"{view}_{name}"]) for name in EXPRESSIONS.names) == pytest.approx(1, abs=1e-4)
    record = json.loads((tmp_path / "out" / "a.jsonl").read_text().splitlines()[0])
    assert list(record["views"]) == ["face", "scene"]
    assert "both: the reading" in (tmp_path / "out" / "a.html").read_text()


@pytest.mark.parametrize("verb", ["predict", "explain"])
def test_pictures_that_are_faces_and_nothing_else_are_refused_in_one_sentence_that_names_another_model(
    mimica: Command, of_both: Path, tmp_path: Path, verb: str
) -> None:
    folder(tmp_path / "faces", alone(8))
    code, _, err = mimica(verb, tmp_path / "faces", "--model", of_both, "--faces", "none")
    assert code == USAGE
    assert err.count("\n") == 1
    assert "ous-tiny cannot read with --faces none" in err
    assert INSTEAD in err


@pytest.mark.parametrize(
    ("how", "expected"), [(("--faces", "none"), USAGE), (("--protocol", "split", "--out", "report"), FAILED)]
)
def test_evaluate_refuses_clips_of_faces_without_scenes_likewise(
    mimica: Command, of_both: Path, tmp_path: Path, how: tuple[str, ...], expected: int
) -> None:
    folder(tmp_path / "faces", alone(8))
    (tmp_path / "clips.csv").write_text("path,label,part\nfaces,fear,test\n")
    code, _, err = mimica("evaluate", f"table:{tmp_path / 'clips.csv'}", "--model", of_both, *how)
    assert code == expected
    assert err.count("\n") == 1
    assert INSTEAD in err


def test_evaluate_reads_the_scene_beside_each_face_of_a_table(
    mimica: Command, of_both: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*how: object, **other: object) -> None:
        raise AssertionError("no face is looked for in clips of faces")

    monkeypatch.setattr("mimica.faces.mtcnn.Mtcnn.detect", refused, raising=False)
    folder(tmp_path / "faces", alone(8))
    table = tmp_path / "clips.csv"
    told = []
    for person in ("a", "b"):
        folder(tmp_path / f"scene-{person}", alone(8, person))
        table.write_text(f"path,label,scene\nfaces,fear,scene-{person}\n")
        code, _, err = mimica("evaluate", f"table:{table}", "--model", of_both, "--json", tmp_path / "found.json")
        assert (code, err) == (DONE, "")
        told.append(json.loads((tmp_path / "found.json").read_text())["risk_coverage"][0]["confidence"])
    assert told[0] != told[1]


def test_evaluate_names_the_clip_without_a_scene_where_others_have_one(
    mimica: Command, of_both: Path, tmp_path: Path
) -> None:
    for name in ("a", "b"):
        folder(tmp_path / name, alone(2))
    (tmp_path / "clips.csv").write_text("path,label,scene\na,fear,a\nb,fear,\n")
    code, _, err = mimica("evaluate", f"table:{tmp_path / 'clips.csv'}", "--model", of_both)
    assert code == FAILED
    assert "b has no scene, and others have one" in err
