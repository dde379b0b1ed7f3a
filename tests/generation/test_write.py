from __future__ import annotations

import json
from pathlib import Path

import pytest

from mimica.errors import InputError
from mimica.generation.alignment import align
from mimica.generation.plan import plan
from mimica.generation.write import draw, put, summary
from mimica.labels import EXPRESSIONS

KNOWN = align([], [], EXPRESSIONS)


def test_the_picture_has_a_curve_for_every_planned_unit_and_says_where_a_face_is_at_rest() -> None:
    plans = [plan(KNOWN, name) for name in ("fear", "neutral", "disgust")]
    axes = draw(plans, KNOWN.units).axes
    assert [one.get_title(loc="left") for one in axes] == [one.name for one in plans]
    for one, drawn in zip(plans, axes, strict=True):
        curves = dict(zip(KNOWN.units, one.curves().T, strict=True))
        lines = {line.get_label(): list(line.get_ydata()) for line in drawn.lines}
        assert set(lines) == {f"AU{unit}" for unit in one.strengths}
        assert all(lines[f"AU{unit}"] == pytest.approx(curves[unit], abs=1e-4) for unit in one.strengths)
    assert [text.get_text() for text in axes[1].texts] == ["at rest"]
    assert axes[0].lines[0].get_xdata()[-1] == 15 / 8


def test_the_summary_says_what_a_class_was_seen_to_show() -> None:
    plans = [plan(KNOWN, "disgust", number) for number in range(3)]
    (row,) = summary(plans, KNOWN)
    assert row == {
        "class": "disgust",
        "clips": "0",
        "core": "9+10+17",
        "also": "4 (40%), 16 (32%), 15 (32%)",
        "plans": "3",
    }


def test_a_place_that_cannot_be_written_to_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="choose another place with --out"):
        put(tmp_path / "file" / "plans.json", json.dumps({}))
