from __future__ import annotations

from pathlib import Path

import pytest

from mimica.checkpoint import read_facts, restate
from mimica.data.clipset import items
from mimica.errors import CheckpointError, UsageError
from mimica.experiments.protocol import planned
from mimica.labels import EXPRESSIONS, MAFW
from tiny_folds import model, models
from tiny_sets import draw_dfew, draw_ferv39k, frames


@pytest.fixture
def runs(tmp_path: Path, tiny_model: Path) -> str:
    return models(tiny_model, tmp_path / "runs")


@pytest.fixture
def spec(tmp_path: Path) -> str:
    return f"dfew:{draw_dfew(tmp_path / 'DFEW')}"


def test_each_fold_is_measured_on_its_test_part_by_its_own_model(spec: str, runs: str) -> None:
    folds = planned(spec, "5fold", runs)
    assert [one.name for one in folds] == ["1", "2", "3", "4", "5"]
    assert [one.model.parent.name for one in folds] == [f"fold{k}" for k in range(1, 6)]
    for k, one in enumerate(folds, start=1):
        assert list(one.items) == [item for item in items(spec, fold=k) if item.part == "test"]
    clips = [one.clip(item) for one in folds for item in one.items]
    assert len(clips) == len(set(clips)) == 51, "every clip is tested once"
    assert clips[0].startswith("Clip/clip_224x224/")


def test_all_models_that_are_missing_are_named(spec: str, runs: str, tmp_path: Path) -> None:
    for fold in (2, 4):
        (tmp_path / "runs" / f"fold{fold}" / "duse-tiny.safetensors").unlink()
    with pytest.raises(UsageError, match=r"fold 2 .*fold 4 .*; train what is missing") as error:
        planned(spec, "5fold", runs)
    assert "fold 3" not in str(error.value)


@pytest.mark.parametrize(
    ("origin", "why"),
    [
        ("DFEW, part train of fold 2", "train of fold 2"),
        ("dfew.csv, part train of fold 2", "a table of the same data"),
        ("DFEW, part test of fold 3", "what it is measured on"),
        ("DFEW, part train", "all folds"),
    ],
)
def test_a_model_that_learned_from_what_a_fold_tests_is_refused(
    spec: str, runs: str, tmp_path: Path, origin: str, why: str
) -> None:
    restate(tmp_path / "runs" / "fold3" / "duse-tiny.safetensors", data={"origin": origin})
    with pytest.raises(CheckpointError, match=r"cannot be measured on what fold 3 tests"):
        planned(spec, "5fold", runs)


def test_renamed_data_is_known_by_its_fold_and_its_clips(spec: str, runs: str, tmp_path: Path) -> None:
    facts = {"origin": "elsewhere, part train of fold 1", "classes": _classes(spec, 1)}
    restate(tmp_path / "runs" / "fold3" / "duse-tiny.safetensors", data=facts)
    with pytest.raises(CheckpointError, match="fold 3"):
        planned(spec, "5fold", runs)


def _classes(spec: str, fold: int) -> dict[str, int]:
    train = [item.label for item in items(spec, fold=fold) if item.part == "train"]
    return {name: train.count(place) for place, name in enumerate(EXPRESSIONS.names)}


@pytest.mark.parametrize("origin", ["none", "FER2013, part train", "crema.csv, part train of fold 2"])
def test_a_model_that_learned_from_other_data_may_be_measured_on_all_folds(
    spec: str, tiny_model: Path, tmp_path: Path, origin: str
) -> None:
    file = model(tiny_model, tmp_path / "one.safetensors", data={"origin": origin})
    assert {one.model for one in planned(spec, "5fold", str(file))} == {file}


def test_a_split_has_one_model_and_one_part(tmp_path: Path, tiny_model: Path) -> None:
    spec = f"ferv39k:{draw_ferv39k(tmp_path / 'FERV39k')}"
    [one] = planned(spec, "split", str(tiny_model))
    assert (one.name, one.fold, len(one.items)) == ("test", None, 14)
    with pytest.raises(UsageError, match="no five folds"):
        planned(spec, "5fold", str(tiny_model))
    with pytest.raises(UsageError, match=r"leave \{fold\} out"):
        planned(spec, "split", "runs/fold{fold}")
    restated = model(tiny_model, tmp_path / "m.safetensors", data={"origin": "FERV39k, part test"})
    with pytest.raises(CheckpointError, match="cannot be measured on it"):
        planned(spec, "split", str(restated))


def test_data_of_folds_has_no_one_split(spec: str, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="--protocol 5fold"):
        planned(spec, "split", str(tiny_model))


def test_a_protocol_that_there_is_not_is_refused(spec: str, tiny_model: Path) -> None:
    with pytest.raises(UsageError, match="5fold, split"):
        planned(spec, "10fold", str(tiny_model))


def test_folds_whose_models_have_other_classes_are_refused(spec: str, runs: str, tmp_path: Path) -> None:
    restate(tmp_path / "runs" / "fold4" / "duse-tiny.safetensors", labels=MAFW.facts())
    with pytest.raises(CheckpointError, match="trained on other classes"):
        planned(spec, "5fold", runs)


def test_an_encoder_is_no_recogniser(spec: str, tiny_encoder: Path) -> None:
    assert read_facts(tiny_encoder)["kind"] != "recogniser"
    with pytest.raises(CheckpointError, match="is no recogniser"):
        planned(spec, "5fold", str(tiny_encoder))


def test_data_without_parts_is_not_measured_by_what_learned_from_it(tmp_path: Path, tiny_model: Path) -> None:
    for name in ("fear", "anger"):
        frames(tmp_path / "faces" / name / "clip", 2)
    spec = f"folder:{tmp_path / 'faces'}"
    learned = {"origin": "faces, part train", "classes": dict.fromkeys(EXPRESSIONS.names, 0) | {"fear": 1, "anger": 1}}
    file = model(tiny_model, tmp_path / "m.safetensors", data=learned)
    with pytest.raises(CheckpointError, match="cannot be measured on it"):
        planned(spec, "split", str(file))
    restate(file, data={**learned, "classes": {"fear": 9}})
    assert len(planned(spec, "split", str(file))[0].items) == 2, "other faces of the same name"
