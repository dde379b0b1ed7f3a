"""Tables of generated clips: what they say of themselves, and that nothing measured on is in them."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mimica.data.clipset import ClipSet, load
from mimica.data.generated import Generated, load_generated
from mimica.errors import InputError, MimicaError, UsageError

Rows = Sequence[dict[str, Any]]
AB = {"names": ["a", "b"], "descriptions": ["one", "other"]}
HOW: dict[str, Any] = {"size": 8, "frames": 1}


def write(folder: Path, rows: Rows, space: dict[str, Any] | None = AB, name: str = "clips.csv") -> str:
    """A table whose clips are pictures, each of a shade of its own."""
    folder.mkdir(exist_ok=True)
    for row in rows:
        if not (path := folder / row["path"]).exists():
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (8, 8), (len(list(folder.iterdir())),) * 3).save(path)
    with (folder / name).open("w", newline="") as file:
        table = csv.DictWriter(file, list(dict.fromkeys(key for row in rows for key in row)))
        table.writeheader()
        table.writerows(rows)
    if space:
        (folder / "label_space.json").write_text(json.dumps(space))
    return f"table:{folder / name}"


REAL: Rows = [
    {"path": f"{part}/{i}.png", "label": "ab"[i % 2], "part": part} for part in ("train", "test") for i in range(6)
]
MADE = {"path": "0.png", "label": "b", "made_from": "train/1.png"}
Load = Callable[..., Generated]


@pytest.fixture
def data(tmp_path: Path) -> str:
    return write(tmp_path / "real", REAL)


@pytest.fixture
def generated(tmp_path: Path, data: str) -> Load:
    """What is loaded of rows beside the real table."""

    def loaded(
        rows: Rows, *, space: dict[str, Any] | None = AB, hold: float = 0.0, fold: int | None = None
    ) -> Generated:
        spec = write(tmp_path / "made", rows, space)
        return load_generated(spec, real(data, hold=hold, fold=fold), data=data, hold=hold, fold=fold, **HOW)

    return loaded


def real(spec: str, **how: Any) -> ClipSet:
    return load(spec, part="train", **HOW, **how)


def test_clips_are_read_with_what_share_of_them_is_of_which_class(generated: Load) -> None:
    soft = {**MADE, "a": "0.12", "b": "0.88"}
    found = generated([soft, {**MADE, "path": "1.png", "label": "a", "a": "", "b": ""}])
    assert found.shares is not None
    assert found.shares.tolist() == [[pytest.approx(0.12), pytest.approx(0.88)], [1, 0]]
    assert found.clips.labels.tolist() == [1, 0]
    assert (found.facts()["clips"], found.facts()["classes"]) == (2, {"a": 1, "b": 1})
    assert found.facts()["soft_labels"] is True


def test_without_columns_of_the_classes_labels_are_plain(generated: Load) -> None:
    found = generated([MADE])
    assert (found.shares, found.facts()["soft_labels"]) == (None, False)


def test_the_digest_is_over_the_shares_too(generated: Load) -> None:
    one, other = (generated([{**MADE, "a": a, "b": 1 - a}]).facts()["digest"] for a in (0.1, 0.2))
    assert one != other


@pytest.mark.parametrize(
    "made_from", ["train/1.png", "../real/train/1.png", "{real}/train/1.png", "train/1.png; train/2.png"]
)
def test_what_a_clip_was_made_from_may_be_named_from_either_table_or_whole(
    generated: Load, made_from: str, tmp_path: Path
) -> None:
    assert len(generated([{**MADE, "made_from": made_from.format(real=tmp_path / "real")}]).clips) == 1


def test_where_the_data_states_its_parts_the_part_of_the_still_is_enough(generated: Load) -> None:
    assert len(generated([{"path": "0.png", "label": "a", "still_part": "train"}]).clips) == 1


@pytest.mark.parametrize(("rows", "said"), [
    ([{**MADE, "made_from": "test/1.png"}], "row 2: the clip was made from test/1.png, which is none of the clips"),
    ([MADE, {**MADE, "made_from": "train/1.png; test/2.png"}], "row 3: the clip was made from test/2.png"),
    ([{**MADE, "made_from": "nobody.png"}], "made from nobody.png"),
    ([{**MADE, "still_part": "test"}], "row 2: its still is from the part test"),
    ([{**MADE, "made_from": ""}], "row 2: it does not say what the clip was made from, in the column made_from"),
    ([{"path": "0.png", "label": "a"}], "does not say what its clips were made from; give it the column made_from"),
    ([{**MADE, "part": "test"}], "generated clips are trained on alone, and this one is of part test"),
])  # fmt: skip
def test_what_is_not_made_from_training_clips_alone_is_refused(generated: Load, rows: Rows, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        generated(rows)


def test_a_clip_made_from_one_that_this_run_holds_out_is_refused(generated: Load, data: str) -> None:
    learned = [Path(name).name for name in real(data, hold=0.4).names]
    held = next(f"{i}.png" for i in range(6) if f"{i}.png" not in learned)
    assert len(generated([{**MADE, "made_from": f"train/{learned[0]}"}], hold=0.4).clips) == 1
    with pytest.raises(UsageError, match=f"made from train/{held}, which is none of the clips"):
        generated([{**MADE, "made_from": f"train/{held}"}], hold=0.4)
    with pytest.raises(UsageError, match="is parted anew by this run, so that still_part does not tell"):
        generated([{"path": "0.png", "label": "a", "still_part": "train"}], hold=0.4)


def test_a_clip_made_from_one_that_the_fold_tests_is_refused(tmp_path: Path) -> None:
    rows = [{"path": f"{i}.png", "label": "ab"[i % 2], "fold": i // 2} for i in range(6)]
    data, made = write(tmp_path / "real", rows), write(tmp_path / "made", [{**MADE, "made_from": "1.png"}])
    assert load_generated(made, real(data, fold=1), data=data, fold=1, **HOW).clips.labels.tolist() == [1]
    with pytest.raises(UsageError, match=r"made from 1\.png"):
        load_generated(made, real(data, fold=0), data=data, fold=0, **HOW)


def test_other_classes_are_refused_and_the_order_is_that_of_the_data(generated: Load) -> None:
    turned = {"names": ["b", "a"], "descriptions": ["other", "one"]}
    assert generated([{**MADE, "a": 0.2, "b": 0.8}], space=turned).clips.space.names == ("a", "b")
    with pytest.raises(UsageError, match=r"has the classes a, c, and .* has a, b; put the label_space\.json"):
        generated([MADE], space={"names": ["a", "c"], "descriptions": ["one", "other"]})


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_a_file_that_is_in_the_data_too_is_refused_by_whatever_name(
    generated: Load, data: str, tmp_path: Path, part: str, link: Callable[[Path, Path], None]
) -> None:
    (tmp_path / "made").mkdir()
    link(tmp_path / "real" / part / "3.png", tmp_path / "made" / "0.png")
    with pytest.raises(UsageError, match=r"0\.png is a clip of the data and of the generated clips"):
        generated([MADE])


@pytest.mark.parametrize(("shares", "said"), [
    ({"a": 0.2}, "has a column a and none for b"), ({"a": 0.2, "b": 0.6}, "1 together, and not 0.8"),
    ({"a": -0.2, "b": 1.2}, "0 to 1"), ({"a": 0.7, "b": 0.3}, "its label is b, and its shares speak for a"),
    ({"a": "0.2", "b": "most"}, "are numbers"), ({"a": "", "b": "1"}, "are numbers"), ({"a": "nan", "b": 1}, "0 to 1"),
])  # fmt: skip
def test_shares_that_are_none_are_refused_with_their_row(generated: Load, shares: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        generated([{**MADE, **shares}])


def test_only_a_table_can_say_what_clips_were_made_from(data: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="are named as table:FILE"):
        load_generated(f"folder:{tmp_path}", real(data), data=data, **HOW)
    with pytest.raises(MimicaError, match="there is no"):
        load_generated("table:nowhere.csv", real(data), data=data, **HOW)


def test_clips_beside_an_archive_are_held_to_the_names_in_it(tmp_path: Path, data: str) -> None:
    from mimica.data.packed import pack

    train = real(data)
    pack({"train": train}, tmp_path / "real.packed")
    spec, names = f"packed:{tmp_path / 'real.packed'}", list(train.names)
    made = write(tmp_path / "made", [{**MADE, "made_from": names[0]}])
    assert np.array_equal(load_generated(made, train, data=spec, **HOW).clips.labels, [1])
    with pytest.raises(UsageError, match="made from other"):
        load_generated(write(tmp_path / "made", [{**MADE, "made_from": "other"}]), train, data=spec, **HOW)
