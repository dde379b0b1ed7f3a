from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
import torch

from mimica.clips import (
    READING_COLUMNS,
    STATUSES,
    ClipBatch,
    Face,
    Reading,
    reading_columns,
    reading_record,
    reading_row,
)

HAPPY = Reading(
    source="a.mp4", person=2, start=1.0, end=2.5, label="happiness", confidence=0.75,
    probabilities={"happiness": 0.75, "fear": 0.25}, views={"raw": {"happiness": 0.5, "fear": 0.5}},
)  # fmt: skip
NOBODY = Reading(source="a.mp4", person=None, start=0.0, end=1.0, label=None, confidence=None, status="no_face")


def viewed(**other: object) -> Reading:
    """Happiness with its scene, fear by the face alone."""
    views = {"face": {"happiness": 0.4, "fear": 0.6}, "scene": {"happiness": 0.9, "fear": 0.1}}
    return dataclasses.replace(HAPPY, **({"views": views} | other))  # type: ignore[arg-type]


def test_the_scene_changes_the_answer_where_the_face_alone_shows_another_class_most() -> None:
    agreeing = {"face": {"happiness": 0.6, "fear": 0.4}, "scene": {"happiness": 0.1, "fear": 0.9}}
    assert viewed().by_face_alone == "fear"
    assert viewed(views=agreeing).by_face_alone is None


@pytest.mark.parametrize("status", ["unsure", "low_quality", "no_face"])
def test_no_answer_is_changed_where_there_is_none(status: str) -> None:
    assert viewed(status=status).by_face_alone is None


def test_a_reading_of_a_model_of_faces_alone_knows_of_no_change() -> None:
    assert (HAPPY.by_face_alone, NOBODY.by_face_alone) == (None, None)


@pytest.mark.parametrize(
    ("label", "raw", "changed"),
    [("happiness", 0.9, "fear"), ("happiness", 0.2, None), ("fear", 0.9, None)],
    ids=["both differ from the face", "this window says what the face says", "smoothing says what the face says"],
)
def test_what_smoothing_changes_is_no_change_by_the_scene(label: str, raw: float, changed: str | None) -> None:
    views = dict(viewed().views) | {"raw": {"happiness": raw, "fear": 1 - raw}}
    assert viewed(label=label, views=views).by_face_alone == changed


def test_the_columns_of_views_say_which_view_they_are_of() -> None:
    columns = reading_columns(("fear",), ("raw", "face", "scene"))[-3:]
    assert [column.name for column in columns] == ["raw_fear", "face_fear", "scene_fear"]
    assert columns[1].meaning == "calibrated probability of fear by the face alone, 0 to 1"
    assert "scene alone" in columns[2].meaning


@pytest.mark.parametrize("shape", [(2, 3, 48, 48), (2, 4, 1, 48, 48), (2, 4, 3, 48, 40)])
def test_a_batch_of_another_shape_says_which_it_wants(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"face must be \[B, T, 3, S, S\], got"):
        ClipBatch(face=torch.zeros(shape), valid=torch.ones(2, 4, dtype=torch.bool))


def test_a_batch_says_which_shape_of_valid_its_clips_need() -> None:
    with pytest.raises(ValueError, match=r"valid must be \[2, 4\], got \[4, 2\]"):
        ClipBatch(face=torch.zeros(2, 4, 3, 8, 8), valid=torch.ones(4, 2, dtype=torch.bool))


@pytest.mark.parametrize("scene", [None, torch.zeros(1, 2, 3, 8, 8)])
def test_a_batch_moves_whole(scene: torch.Tensor | None) -> None:
    batch = ClipBatch(face=torch.zeros(1, 2, 3, 8, 8), valid=torch.ones(1, 2, dtype=torch.bool), scene=scene)
    moved = batch.to("meta")
    assert moved.face.device.type == moved.valid.device.type == "meta"
    assert (moved.scene is None) if scene is None else (moved.scene is not None and moved.scene.is_meta)


def test_the_size_of_a_face_is_its_shorter_side() -> None:
    assert Face(box=np.array([10.0, 20.0, 40.0, 70.0]), score=0.9).size == 30.0


def test_a_reading_is_about_the_middle_of_its_window() -> None:
    assert HAPPY.middle == 1.75


@pytest.mark.parametrize("value", [HAPPY, NOBODY, READING_COLUMNS[0]])
def test_value_objects_are_frozen(value: object) -> None:
    field = dataclasses.fields(value)[0].name  # type: ignore[arg-type]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(value, field, "other")


def test_the_columns_of_a_row_are_the_columns_that_are_promised() -> None:
    promised = [column.name for column in reading_columns(("happiness", "fear"), ("raw",))]
    assert list(reading_row(HAPPY)) == promised
    assert promised == ["source", "person", "start", "end", "label", "confidence", "status",
                        "happiness", "fear", "raw_happiness", "raw_fear"]  # fmt: skip


def test_columns_that_are_required_are_never_empty_even_where_no_face_was_seen() -> None:
    row = reading_row(NOBODY)
    assert all(row[column.name] is not None for column in READING_COLUMNS if column.required)
    assert [name for name, value in row.items() if value is None] == ["person", "label", "confidence"]


def test_a_record_is_json_and_keeps_the_probabilities_together() -> None:
    record = json.loads(json.dumps(reading_record(HAPPY)))
    assert record["probabilities"] == {"happiness": 0.75, "fear": 0.25}
    assert record["views"]["raw"]["fear"] == 0.5
    assert "views" not in reading_record(NOBODY)


def test_the_meaning_of_status_names_every_status() -> None:
    (meaning,) = (column.meaning for column in READING_COLUMNS if column.name == "status")
    assert all(status in meaning for status in STATUSES)
