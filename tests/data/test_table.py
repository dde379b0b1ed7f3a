from __future__ import annotations

from pathlib import Path

import pytest

from mimica.data.table import table_items
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS


@pytest.fixture(autouse=True)
def _files(tmp_path: Path) -> None:
    for name in ("a.png", "b.mp4"):
        (tmp_path / name).touch()


def csv(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "clips.csv"
    path.write_text(text, encoding=encoding)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_rows_are_items_beside_their_table(tmp_path: Path, encoding: str) -> None:
    table = csv(tmp_path, "path,label,note\na.png,Happy,x\nb.mp4,fear,\n", encoding)
    found = [(item.path, item.label, item.part) for item in table_items(table, EXPRESSIONS)]
    assert found == [(tmp_path / "a.png", 0, ""), (tmp_path / "b.mp4", 6, "")]


def test_a_table_may_state_the_part_of_each_row(tmp_path: Path) -> None:
    table = csv(tmp_path, "part,path,label\ntrain,a.png,sad\ncalibration,b.mp4,sad\n")
    assert [item.part for item in table_items(table, EXPRESSIONS)] == ["train", "calibration"]


def test_paths_may_be_absolute(tmp_path: Path) -> None:
    table = csv(tmp_path, f"path,label\n{tmp_path / 'a.png'},sad\n")
    assert table_items(table, EXPRESSIONS)[0].path == tmp_path / "a.png"


def test_parquet_says_the_same_as_csv(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = {"path": ["a.png", "b.mp4"], "label": ["sad", "joy"], "part": ["train", "holdout"]}
    parquet.write_table(pa.table(rows), tmp_path / "clips.parquet")
    table = csv(tmp_path, "path,label,part\na.png,sad,train\nb.mp4,joy,holdout\n")
    assert table_items(tmp_path / "clips.parquet", EXPRESSIONS) == table_items(table, EXPRESSIONS)


def test_a_class_that_is_not_known_leads_to_where_own_classes_are_stated(tmp_path: Path) -> None:
    table = csv(tmp_path, "path,label\na.png,calm face\n")
    with pytest.raises(
        InputError, match=r"unknown label.*\. Classes of your own are stated in label_space\.json beside"
    ):
        table_items(table, EXPRESSIONS)
    (tmp_path / "label_space.json").touch()
    with pytest.raises(InputError, match=r"surprise, disgust, fear$"):
        table_items(table, EXPRESSIONS)


def test_parquet_of_other_columns_says_which_it_has(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"file": ["a.png"], "class": ["sad"]}), tmp_path / "clips.parquet")
    with pytest.raises(InputError, match="has no column 'path'; it has file, class"):
        table_items(tmp_path / "clips.parquet", EXPRESSIONS)


def test_a_part_that_is_null_in_parquet_is_no_part(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = pa.table({"path": ["a.png"], "label": ["sad"], "part": pa.array([None], pa.string())})
    parquet.write_table(rows, tmp_path / "clips.parquet")
    assert table_items(tmp_path / "clips.parquet", EXPRESSIONS)[0].part == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "has no rows"),
        ("path,label\n", "has no rows"),
        ("file,label\na.png,sad\n", "has no column 'path'; it has file, label"),
        ("file,label\na.png,sad,extra\n", "has no column 'path'; it has file, label"),
        ("path,class\na.png,sad\n", "has no column 'label'; it has path, class"),
        ("path,label\na.png,sad\nc.png,sad\n", r"row 3: there is no .*c\.png"),
        ("path,label\na.png,sadnes\n", "row 2: unknown label 'sadnes'; did you mean 'sadness'"),
        ("path,label\na.png,sad\nb.mp4\n", "row 3: it has no label"),
        ("path,label\n,sad\n", "row 2: it has no path"),
        ("path,label,part\na.png,sad,train\nb.mp4,sad,\n", "row 3: it has no part, though other rows have one"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=rf"clips\.csv.* {reason}"):
        table_items(csv(tmp_path, text), EXPRESSIONS)


@pytest.mark.parametrize(("name", "kind"), [("clips.csv", "CSV"), ("clips.parquet", "Parquet")])
def test_a_file_that_is_no_table_is_refused_in_a_sentence(tmp_path: Path, name: str, kind: str) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00\x89PNG")
    with pytest.raises(InputError, match=f"cannot read .*{name} as {kind}"):
        table_items(tmp_path / name, EXPRESSIONS)
