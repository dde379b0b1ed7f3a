from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.errors import InputError
from mimica.units.detect import ORDER
from mimica.units.registry import load


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_actor(tmp_path_factory.mktemp("actor"), ActorSettings(clips=3, frames=4, size=24))


def test_the_pictures_of_the_table_have_the_units_they_were_drawn_with(table: Path) -> None:
    with table.open(newline="") as file:
        row = list(csv.DictReader(file))[1]
    frames = np.stack([np.asarray(Image.open(p)) for p in sorted((table.parent / row["path"]).glob("*.png"))])
    truth = np.array([[float(value) for value in row[f"AU{unit}"].split()] for unit in ORDER]).T
    detector = load(f"actor:{table}")
    assert detector.size == 24
    assert detector.strengths(frames) == pytest.approx(truth, abs=1e-6)


def test_of_any_other_picture_nothing_is_known(table: Path) -> None:
    assert np.isnan(load(f"actor:{table}").strengths(np.zeros((1, 24, 24, 3), np.uint8))).all()


@pytest.mark.parametrize(
    ("text", "said"),
    [("path,label\nx,fear\n", "row 2: it has no path or no curve of every unit"), ("", "has no clips")],
)
def test_a_table_without_curves_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=said):
        load(f"actor:{tmp_path / 't.csv'}")


def test_a_table_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"cannot read .*none\.csv"):
        load(f"actor:{tmp_path / 'none.csv'}")


def test_pictures_that_are_missing_are_noticed(table: Path, tmp_path: Path) -> None:
    text = table.read_text().replace("clips/000001", "clips/gone")
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(InputError, match=r"row 2: 0 pictures and 4 numbers a unit"):
        load(f"actor:{tmp_path / 't.csv'}")
