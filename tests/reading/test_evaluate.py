from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, confusion_matrix, recall_score

from drawn import alone, film, folder, photo, picture
from mimica.clips import Reading
from mimica.data.clipset import Item, items
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from mimica.metrics.calibration import ece
from mimica.reading.evaluate import Evaluation, evaluate
from mimica.reading.events import Settled
from mimica.reading.reader import Reader
from mimica.reading.settings import Settings
from mimica.recognition.registry import load

C = len(EXPRESSIONS)


class Scripted:
    """A reader of files that do not exist: it tells what is written for each, or fails with it."""

    def __init__(self, script: Mapping[str, Sequence[Reading] | str]) -> None:
        self.script = script
        self.recogniser, self.scenes = SimpleNamespace(space=EXPRESSIONS), False

    def read(self, path: Path, clips: Any = None, scene: Path | None = None) -> Iterator[object]:
        told = self.script[str(path)]
        if isinstance(told, str):
            raise InputError(told)
        yield Settled(time=0.0)
        yield from told


def reading(shown: int, confidence: float = 0.6, *, person: int = 0, start: float = 0.0, end: float = 1.0) -> Reading:
    probabilities = np.full(C, (1 - confidence) / (C - 1))
    probabilities[shown] = confidence
    return Reading(
        source="", person=person, start=start, end=end, label=EXPRESSIONS.names[shown], confidence=confidence,
        probabilities=dict(zip(EXPRESSIONS.names, probabilities.tolist(), strict=True)),
    )  # fmt: skip


def nobody() -> Reading:
    return Reading(source="", person=None, start=0.0, end=1.0, label=None, confidence=None, status="no_face")


def evaluated(truth: Sequence[int], told: Sequence[Sequence[Reading] | str], **how: Any) -> Evaluation:
    reader: Any = Scripted({str(i): readings for i, readings in enumerate(told)})
    return evaluate(reader, [Item(path=Path(str(i)), label=label) for i, label in enumerate(truth)], **how)


@pytest.mark.parametrize("classes", [C, 3])
def test_figures_are_those_of_scikit_learn(classes: int) -> None:
    random = np.random.default_rng(classes)
    truth = random.integers(0, classes, 60)
    guess = np.where(random.random(60) < 0.5, truth, random.integers(0, classes, 60))
    confidence = random.uniform(0.3, 1, 60)
    result = evaluated(truth.tolist(), [[reading(int(g), c)] for g, c in zip(guess, confidence.tolist(), strict=True)])
    assert result.n == 60
    assert result.war.value == pytest.approx(accuracy_score(truth, guess))
    assert result.uar.value == pytest.approx(balanced_accuracy_score(truth, guess))
    assert (result.confusion == confusion_matrix(truth, guess, labels=range(C))).all()
    expected = recall_score(truth, guess, labels=range(classes), average=None)
    assert list(result.per_class.values())[:classes] == pytest.approx(list(expected))
    assert set(list(result.per_class.values())[classes:]) <= {None}
    assert result.ece == pytest.approx(ece(confidence, guess == truth))
    assert result.war.low <= result.war.value <= result.war.high
    assert result.uar.low <= result.uar.value <= result.uar.high


def test_a_file_that_could_not_be_read_counts_as_wrong_and_is_named_with_the_reason() -> None:
    result = evaluated([0, 0, 0, 1], [[reading(0)], "it is broken", [nobody()], [reading(1)]])
    assert result.war.value == 0.5
    assert result.uar.value == pytest.approx((1 / 3 + 1) / 2)
    assert result.unread == {"1": "it is broken", "2": "2 shows no face"}
    assert result.confusion.sum() == 2
    assert result.ece == pytest.approx(0.4), "calibration is of the files that were read"


def test_a_file_shows_what_its_readings_show_on_average() -> None:
    result = evaluated([2], [[reading(0, 0.5), reading(0, 0.5), reading(2, 0.99)]])
    assert result.war.value == 1


def test_of_several_people_the_one_seen_longest_is_who_the_file_is_about() -> None:
    passing = [reading(0, 0.9, person=0, start=0, end=1), reading(0, 0.9, person=0, start=1, end=2)]
    staying = [reading(1, 0.5, person=1, start=t, end=t + 2) for t in range(2)]
    assert evaluated([1], [[*passing, nobody(), *staying]]).war.value == 1


@pytest.mark.parametrize(("people", "about"), [((0, 1), 0), ((0, 1, 1), 1)])
def test_where_nobody_is_seen_for_any_time_it_is_who_is_read_most_or_first(people: Sequence[int], about: int) -> None:
    told = [reading(person, person=person, end=0.0) for person in people]
    assert evaluated([about], [told]).war.value == 1


def test_progress_is_told_file_by_file() -> None:
    told: list[int] = []
    evaluated([0, 1, 2], [[reading(0)], "broken", [reading(2)]], progress=told.append)
    assert told == [1, 2, 3]


@pytest.mark.parametrize("told", [[[reading(0)], [reading(2)]], ["broken", "broken"]], ids=["read", "unread"])
def test_the_facts_are_json_that_other_tools_can_read(told: Sequence[Any]) -> None:
    facts = json.loads(json.dumps(evaluated([0, 1], told).facts(), allow_nan=False))
    assert {"war", "uar", "per_class", "confusion", "ece", "n"} <= facts.keys()
    assert facts["labels"] == list(EXPRESSIONS.names)
    assert list(facts["per_class"]) == list(EXPRESSIONS.names)
    assert np.array(facts["confusion"]).shape == (C, C)
    assert facts["n"] == 2


@pytest.fixture(scope="module")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder a class, each with a photo, a video and a folder of frames, and one broken file."""
    root = tmp_path_factory.mktemp("labelled")
    for i, name in enumerate(("happiness", "sad", "fear")):
        (root / name).mkdir()
        photo(root / name / "photo.png", picture({"a": (20, 20)}, 7 * i))
        film(root / name / "video.mp4", alone(5 * (i + 1)), rate=5)
        folder(root / name / "frames", alone(4 + 9 * i)[-4:])
    (root / "fear" / "broken.mp4").write_text("not a video")
    return root


def test_a_folder_of_classes_is_read_as_videos_are(tiny_model: Path, faces: Path) -> None:
    reader = Reader(load(str(tiny_model)), Settings(faces="none", fps=5, window=4, stride=4))
    found = items(f"folder:{faces}")
    result = evaluate(reader, found)
    assert len(found) == result.n == 10
    assert [Path(path).name for path in result.unread] == ["broken.mp4"]
    right = 0
    for item in found:
        if item.path.name != "broken.mp4":
            told = [list(e.probabilities.values()) for e in reader.read(item.path) if isinstance(e, Reading)]
            right += int(np.mean(told, axis=0).argmax()) == item.label
    assert result.war.value == pytest.approx(right / 10)


def test_a_table_names_files_relative_to_itself(
    tiny_model: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    table = faces / "table.csv"
    table.write_text("path,label\nhappiness/photo.png,happy\nsad/video.mp4,sadness\n")
    result = evaluate(Reader(load(str(tiny_model)), Settings(faces="none")), items(f"table:{table}"))
    assert result.n == 2
    assert result.unread == {}


# How well it knows


def test_files_are_parted_by_their_status_and_those_that_are_sure_have_a_figure_of_their_own() -> None:
    doubted = replace(reading(1), status="unsure")
    result = evaluated([0, 0, 0, 1], [[reading(0)], [reading(1)], [doubted], "broken"])
    assert result.statuses == {"ok": 0.5, "unsure": 0.25, "no_face": 0.25, "low_quality": 0.0}
    assert result.sure == 0.5
    assert evaluated([0], [[doubted]]).sure is None


def test_the_reliability_and_the_risk_by_coverage_are_of_the_files_that_were_read() -> None:
    result = evaluated([0, 0, 1], [[reading(0, 0.9)], [reading(1, 0.5)], "broken"])
    assert sum(bar.number for bar in result.reliability) == 2
    assert result.curve[-1][:2] == (1.0, 0.5)
    assert result.curve[0].risk == 0.0


def test_groups_that_the_data_names_have_figures_of_their_own() -> None:
    listed = [Item(path=Path(str(i)), label=0, group="abb"[i]) for i in range(3)]
    reader: Any = Scripted({"0": [reading(0)], "1": [reading(1)], "2": "broken"})
    groups = [part for part in evaluate(reader, listed).slices if part.by == "group"]
    assert [(part.value, part.n, part.war) for part in groups] == [("a", 1, 1.0), ("b", 2, 0.0)]


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Photos of every brightness, each of one of two classes."""
    root = tmp_path_factory.mktemp("photos")
    for i in range(8):
        (root / EXPRESSIONS.names[i % 2]).mkdir(exist_ok=True)
        image = np.random.default_rng(i).integers(0, 40 + 30 * i, (48, 48, 3), dtype=np.uint8)
        photo(root / EXPRESSIONS.names[i % 2] / f"{i}.png", image)
    return f"folder:{root}"


def test_parts_by_quality_and_by_brightness_hold_every_file_that_was_read_once(tiny_model: Path, photos: str) -> None:
    result = evaluate(Reader(load(str(tiny_model)), Settings(faces="none")), items(photos))
    for by in ("quality", "brightness"):
        parts = [part for part in result.slices if part.by == by]
        assert sum(part.n for part in parts) == result.n == 8
        assert sum(part.n * part.war for part in parts) == pytest.approx(result.n * result.war.value)
    assert len([part for part in result.slices if part.by == "brightness"]) > 1


def test_degraded_photos_are_darker_blurred_or_covered_when_they_are_read(tiny_model: Path, photos: str) -> None:
    reader = Reader(load(str(tiny_model)), Settings(faces="none"))
    before, dark = (evaluate(reader, items(photos), degrade=name) for name in (None, "dark"))
    for bright, dim in zip(before.files, dark.files, strict=True):
        assert dim.brightness == pytest.approx(0.4 * bright.brightness, abs=0.01)
        assert dim.item == bright.item


def test_the_label_is_kept_by_as_many_sure_readings_as_say_what_they_said(tiny_model: Path, photos: str) -> None:
    reader = Reader(load(str(tiny_model)), Settings(faces="none", unsure_below=0.0))
    before = evaluate(reader, items(photos))
    assert before.kept(before) == 1.0
    moved = replace(before, files=tuple(replace(f, guess=99) if i < 2 else f for i, f in enumerate(before.files)))
    assert before.kept(moved) == 0.75
    unsure = replace(before, files=tuple(replace(f, status="unsure") for f in before.files))
    assert unsure.kept(before) is None


def test_only_photos_can_be_degraded(tiny_model: Path, faces: Path) -> None:
    reader = Reader(load(str(tiny_model)), Settings(faces="none", fps=5, window=4, stride=4))
    result = evaluate(reader, items(f"folder:{faces}"), degrade="blur")
    assert sorted(Path(path).name for path in result.unread) == ["broken.mp4", *["frames"] * 3, *["video.mp4"] * 3]
    assert "only photos can be degraded" in " ".join(result.unread.values())
