from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mimica.data.actor import unit_curves
from mimica.data.actor_folder import write_actor
from mimica.data.actor_settings import ActorSettings
from mimica.errors import InputError, UsageError
from mimica.facs import UNITS
from mimica.generation.measured import measured_clips


def table(folder: Path, text: str) -> str:
    file = folder / "clips.csv"
    file.write_text(text)
    return f"table:{file}"


def test_unit_curves_are_read_with_label_and_who_is_seen(tmp_path: Path) -> None:
    spec = table(tmp_path, "path,label,actor,AU6,AU12\na,happy,3,0 0.5 1,0 0 0.25\nb,neutral,4,0 0,0 0\n")
    clips = measured_clips(spec)
    assert clips.names == ("a", "b")
    assert clips.labels.tolist() == [0, 2]
    assert clips.subjects == ("3", "4")
    order = list(UNITS)
    assert clips.curves[0][:, order.index(6)].tolist() == [0, 0.5, 1]
    assert clips.curves[0][:, order.index(12)].tolist() == [0, 0, 0.25]
    assert clips.curves[1].shape == (2, len(order))
    assert np.isnan(clips.curves[0][:, order.index(1)]).all(), "a unit that the table does not have"


def test_nothing_of_another_part_than_train_is_read(tmp_path: Path) -> None:
    spec = table(tmp_path, "path,label,part,AU6\na,fear,train,0\nb,fear,test,0\nc,fear,validation,0\nd,fear,,0\n")
    assert measured_clips(spec).names == ("a", "d")
    with pytest.raises(InputError, match="no clip of the part train"):
        measured_clips(table(tmp_path, "path,label,part,AU6\nb,fear,test,0\n"))


def test_a_group_says_who_is_seen_before_an_actor_does(tmp_path: Path) -> None:
    assert measured_clips(table(tmp_path, "path,label,actor,group,AU6\na,fear,1,ann,0\n")).subjects == ("ann",)
    assert measured_clips(table(tmp_path, "path,label,AU6\na,fear,0\n")).subjects == ("a",), "each clip for itself"


def test_the_tables_of_the_actor_are_read(tmp_path: Path) -> None:
    spec = f"table:{write_actor(tmp_path / 'actor', ActorSettings(clips=8, size=16, frames=4))}"
    clips = measured_clips(spec)
    assert clips.subjects == ("0",) * 7 + ("1",)
    drawn = unit_curves(clips.labels.tolist(), frames=4, seed=0)
    assert np.stack(clips.curves) == pytest.approx(drawn.numpy(), abs=6e-4)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("path,label\na,fear\n", "has no unit curves"),
        ("path,label,AU6\na,joyless,0\n", "row 2: unknown label 'joyless'"),
        ("path,label,AU6\na,fear,0 x\n", "row 2: AU6 is no list of numbers"),
        ("path,label,AU6,AU12\na,fear,0 0,0\n", "row 2: its unit curves are missing or not of one length"),
        ("path,label,AU6\na,fear,0\nb,fear,\n", "row 3: its unit curves are missing"),
        ("path,label,AU6\na,fear,0 3.5\n", "divide those on the scale 0 to 5 by 5"),
        ("path,label,AU6\na,fear,-0.5\n", "strengths of units are 0 to 1"),
    ],
)
def test_a_table_that_is_wrong_is_met_with_its_row(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        measured_clips(table(tmp_path, text))


def test_data_without_unit_curves_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no unit curves; give table:FILE"):
        measured_clips(f"folder:{tmp_path}")
