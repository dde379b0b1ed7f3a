from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mimica.data.clipset import ClipSet, items, load, load_held, manifest, parse
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS

Draw = Callable[..., Path]


@pytest.fixture
def parts(photo: Draw, tmp_path: Path) -> str:
    """A table of three train photos and one for calibration."""
    rows = ["path,label,part"]
    for i, (label, part) in enumerate([("happy", "train"), ("sad", "train"), ("sad", "calibration"), ("joy", "train")]):
        rows.append(f"{photo(f'{i}.png', 10 * i).name},{label},{part}")
    (tmp_path / "clips.csv").write_text("\n".join(rows))
    return f"table:{tmp_path / 'clips.csv'}"


@pytest.mark.parametrize(
    ("spec", "error", "reason"),
    [
        ("faces", UsageError, "unknown kind of data 'faces'"),
        ("foldr:faces", UsageError, "did you mean 'folder:PATH'"),
        ("folder:nowhere", InputError, r"there is no nowhere \(given as folder:nowhere\)"),
    ],
)
def test_a_data_argument_that_leads_nowhere_is_a_sentence(spec: str, error: type[Exception], reason: str) -> None:
    with pytest.raises(error, match=reason):
        parse(spec)


def test_a_path_may_hold_colons(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    assert parse(f"folder:{tmp_path}/a:b") == ("folder", tmp_path / "a:b")


def test_items_come_from_folders_and_tables(parts: str, photo: Draw, tmp_path: Path) -> None:
    photo("classes/fear/a.png")
    assert [item.label for item in items(parts)] == [0, 1, 1, 0]
    assert [item.label for item in items(f"folder:{tmp_path / 'classes'}")] == [6]


def test_pictures_in_an_archive_are_no_files_to_list(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="holds pictures in an archive"):
        items(f"fer2013:{tmp_path}")


def test_a_part_is_loaded_without_the_others(parts: str) -> None:
    clips = load(parts, size=8)
    assert [f[0, 0, 0, 0] for f in clips.frames] == [0, 10, 30]
    assert clips.manifest["origin"] == "clips.csv, part train"
    held = load_held(parts, size=8)
    assert held is not None
    assert [f[0, 0, 0, 0] for f in held.frames] == [20]


def test_data_without_parts_is_taken_whole_and_holds_nothing_back(photo: Draw, tmp_path: Path) -> None:
    photo("faces/fear/a.png")
    photo("faces/joy/a.png")
    assert len(load(f"folder:{tmp_path / 'faces'}", size=8)) == 2
    assert load_held(f"folder:{tmp_path / 'faces'}", size=8) is None
    (tmp_path / "clips.csv").write_text("path,label\nfaces/fear/a.png,fear\n")
    assert len(load(f"table:{tmp_path / 'clips.csv'}", part="holdout", size=8)) == 1
    assert load_held(f"table:{tmp_path / 'clips.csv'}", size=8) is None


def test_a_part_that_is_empty_is_refused(parts: str) -> None:
    with pytest.raises(InputError, match="has no clip of the part holdout"):
        load(parts, part="holdout", size=8)


def test_counts_are_in_the_order_of_the_label_space() -> None:
    clips = ClipSet(frames=[np.zeros((1, 8, 8, 1), np.uint8)] * 3, labels=np.array([6, 0, 6]), names=["a", "b", "c"])
    assert list(clips.counts().items())[::6] == [("happiness", 1), ("fear", 2)]
    assert sum(clips.counts().values()) == len(clips) == 3


def test_a_manifest_tells_data_apart_by_their_names_and_labels() -> None:
    told = [
        manifest("x", names, np.array(labels), EXPRESSIONS)
        for names, labels in ((["a", "b"], [0, 1]), (["a", "b"], [0, 1]), (["a", "c"], [0, 1]), (["a", "b"], [0, 2]))
    ]
    assert told[0] == told[1]
    assert len({str(facts["digest"]) for facts in told}) == 3
    assert told[0]["classes"]["sadness"] == 1  # type: ignore[index]
