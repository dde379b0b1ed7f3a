from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mimica.errors import InputError
from mimica.experiments.predictions import Predictions, joined, read_predictions, write_predictions

NAN = float("nan")


def table(**changes: object) -> Predictions:
    random = np.random.default_rng(0)
    shares = random.dirichlet(np.ones(3), 4)
    shares[2] = NAN
    given = {
        "labels": ("happiness", "sadness", "fear"), "clips": ("a/1", 'b,"2"', "c", "d"), "folds": ("1", "1", "2", "2"),
        "groups": ("", "War", "War", ""), "truth": np.array([0, 2, 1, 1]), "probabilities": shares,
        "errors": ("", "", "it is broken, and more", ""),
    }  # fmt: skip
    return Predictions(**(given | changes))  # type: ignore[arg-type]


def test_a_table_reads_back_to_the_last_digit(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", table())
    back, told = read_predictions(tmp_path / "p.csv"), table()
    for name in ("labels", "clips", "folds", "groups", "errors"):
        assert getattr(back, name) == getattr(told, name)
    assert back.truth.tolist() == told.truth.tolist()
    assert back.probabilities.tobytes() == told.probabilities.tobytes()


def test_the_columns_say_truth_and_reading_by_name(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", table())
    head, first, *_ = (tmp_path / "p.csv").read_text().splitlines()
    assert head == "clip,fold,group,truth,label,confidence,happiness,sadness,fear,error"
    assert first.split(",")[:4] == ["a/1", "1", "", "happiness"]


def test_a_clip_that_could_not_be_read_has_no_guess() -> None:
    assert table().guesses[2] == 3
    assert table().read.tolist() == [True, True, False, True]


def test_folds_are_joined_in_their_order() -> None:
    both = joined([table(), table(clips=("e", "f", "g", "h"))])
    assert both.clips == ("a/1", 'b,"2"', "c", "d", "e", "f", "g", "h")
    assert len(both) == len(both.truth) == len(both.probabilities) == 8


@pytest.mark.parametrize("text", ["", "path,label\na,b\n", "clip,fold,group,truth,label,confidence,fear,error\n"])
def test_another_table_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match=r"p\.csv"):
        read_predictions(tmp_path / "p.csv")


def test_a_table_of_an_unknown_class_is_refused(tmp_path: Path) -> None:
    write_predictions(tmp_path / "p.csv", table())
    text = (tmp_path / "p.csv").read_text().replace("a/1,1,,happiness", "a/1,1,,joyful")
    (tmp_path / "p.csv").write_text(text)
    with pytest.raises(InputError, match="no whole table"):
        read_predictions(tmp_path / "p.csv")
