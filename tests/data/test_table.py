from __future__ import annotations

from pathlib import Path

import pytest

from mimica.data.clipset import items, load_whole, published, space_of
from mimica.data.table import import_table, table_items
from mimica.errors import InputError, UsageError
from mimica.labels import EXPRESSIONS
from tiny_sets import draw_dfew, draw_ferv39k, draw_mafw


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


FOLDS = "path,label,fold\na.png,sad,1\nb.mp4,joy,2\na.png,fear,2\n"


def test_a_column_of_folds_says_which_fold_tests_a_clip(tmp_path: Path) -> None:
    table = csv(tmp_path, FOLDS)
    assert [item.part for item in table_items(table, EXPRESSIONS, fold=1)] == ["test", "train", "train"]
    assert [item.part for item in table_items(table, EXPRESSIONS, fold=2)] == ["train", "test", "test"]


def test_what_a_fold_trains_on_may_be_parted_further(tmp_path: Path) -> None:
    table = csv(tmp_path, "path,label,fold,part\na.png,sad,1,calibration\nb.mp4,joy,2,train\na.png,joy,2,calibration\n")
    assert [item.part for item in table_items(table, EXPRESSIONS, fold=1)] == ["test", "train", "calibration"]
    assert [item.part for item in table_items(table, EXPRESSIONS)] == ["calibration", "train", "calibration"]


@pytest.mark.parametrize(
    ("text", "fold", "reason"),
    [
        (FOLDS, None, r"clips\.csv has the folds 1, 2; choose one with --fold"),
        (FOLDS, 3, r"clips\.csv has the folds 1, 2 and no fold 3"),
        ("path,label\na.png,sad\n", 1, r"clips\.csv has no column 'fold'; leave out --fold"),
        ("path,label,part\na.png,sad,train\n", 1, "has no column 'fold'; leave out --fold"),
    ],
)
def test_a_fold_has_to_be_one_of_the_table(tmp_path: Path, text: str, fold: int | None, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        table_items(csv(tmp_path, text), EXPRESSIONS, fold=fold)


def test_folds_in_parquet_are_numbers(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = pa.table({"path": ["a.png", "b.mp4"], "label": ["sad", "joy"], "fold": [1, 2]})
    parquet.write_table(rows, tmp_path / "clips.parquet")
    assert [item.part for item in table_items(tmp_path / "clips.parquet", EXPRESSIONS, fold=2)] == ["train", "test"]


def test_a_row_may_name_the_scene_view_and_say_something(tmp_path: Path) -> None:
    table = csv(tmp_path, 'path,label,scene,caption\na.png,sad,b.mp4,"She weeps, then smiles."\nb.mp4,sad,,\n')
    first, second = table_items(table, EXPRESSIONS)
    assert (first.scene, first.caption) == (tmp_path / "b.mp4", "She weeps, then smiles.")
    assert (second.scene, second.caption) == (None, "")


@pytest.mark.parametrize(
    ("text", "fold", "reason"),
    [
        ("path,label,scene\na.png,sad,c.mp4\n", None, r"row 2: there is no .*c\.mp4"),
        ("path,label,fold\na.png,sad,1\nb.mp4,sad,\n", 1, "row 3: it has no fold, though other rows have one"),
    ],
)
def test_a_row_that_does_not_say_what_others_do_is_named(
    tmp_path: Path, text: str, fold: int | None, reason: str
) -> None:
    with pytest.raises(InputError, match=reason):
        table_items(csv(tmp_path, text), EXPRESSIONS, fold=fold)


@pytest.fixture(params=["dfew", "mafw", "ferv39k"])
def published_set(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A small data set in a folder of its own, as a data argument."""
    draw = {"dfew": draw_dfew, "mafw": draw_mafw, "ferv39k": draw_ferv39k}[request.param]
    return f"{request.param}:{draw(tmp_path / 'sets' / request.param)}"


def test_a_data_set_read_back_from_its_table_is_the_same(published_set: str, tmp_path: Path) -> None:
    data = published(published_set)
    table = tmp_path / "tables" / "clips.csv"
    number = import_table(data, table)
    for fold in range(1, data.folds + 1) if data.folds else [None]:
        whole = items(published_set, fold=fold)
        assert len(whole) == number
        assert items(f"table:{table}", fold=fold) == whole
    assert space_of(f"table:{table}") == data.space
    assert (table.parent / "label_space.json").exists() == published_set.startswith("mafw")


def test_one_fold_read_back_has_its_parts(tmp_path: Path) -> None:
    spec = f"mafw:{draw_mafw(tmp_path / 'sets')}"
    import_table(published(spec), tmp_path / "clips.csv", fold=3)
    assert items(f"table:{tmp_path / 'clips.csv'}") == items(spec, fold=3)
    header = (tmp_path / "clips.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header == "path,label,part,scene,caption"


def test_paths_are_relative_where_the_data_lies_beside_its_table(tmp_path: Path) -> None:
    data = published(f"dfew:{draw_dfew(tmp_path / 'DFEW')}")
    import_table(data, tmp_path / "beside.csv")
    import_table(data, tmp_path / "away" / "clips.csv")
    first = [file.read_text().splitlines()[1] for file in (tmp_path / "beside.csv", tmp_path / "away" / "clips.csv")]
    assert first[0] == "DFEW/Clip/clip_224x224/00001,happiness,1"
    assert first[1] == f"{tmp_path}/DFEW/Clip/clip_224x224/00001,happiness,1"


def test_a_clip_without_a_frame_is_refused_or_left_out(tmp_path: Path) -> None:
    tree = draw_dfew(tmp_path / "DFEW")
    (tree / "Clip" / "clip_224x224" / "00007" / "00007_00001.jpg").unlink()
    data = published(f"dfew:{tree}")
    with pytest.raises(InputError, match=r"00007 holds no frame; mimica data check lists all that is wrong"):
        import_table(data, tmp_path / "clips.csv")
    assert not (tmp_path / "clips.csv").exists()
    left: list[str] = []
    told: list[tuple[int, int]] = []
    number = import_table(
        data, tmp_path / "clips.csv", wrong=left.append, progress=lambda done, total: told.append((done, total))
    )
    assert (number, len(left), told[-1]) == (50, 1, (51, 51))
    assert "00007" not in (tmp_path / "clips.csv").read_text()


def test_a_table_that_is_there_is_kept_unless_it_would_be_the_same(tmp_path: Path) -> None:
    data = published(f"dfew:{draw_dfew(tmp_path / 'DFEW')}")
    import_table(data, tmp_path / "clips.csv")
    import_table(data, tmp_path / "clips.csv")
    with pytest.raises(UsageError, match=r"clips\.csv is there already and says something else; choose another place"):
        import_table(data, tmp_path / "clips.csv", fold=1)
    with pytest.raises(UsageError, match=r"clips\.parquet is no name of a CSV table; let --out end in \.csv"):
        import_table(data, tmp_path / "clips.parquet")


def test_tables_of_other_classes_do_not_share_a_folder(tmp_path: Path) -> None:
    seven, eleven = (published(f"dfew:{draw_dfew(tmp_path / 'D')}"), published(f"mafw:{draw_mafw(tmp_path / 'M')}"))
    import_table(eleven, tmp_path / "eleven" / "clips.csv", fold=1)
    import_table(eleven, tmp_path / "eleven" / "more.csv", fold=2)
    import_table(seven, tmp_path / "seven" / "clips.csv")
    for data, place in ((seven, "eleven"), (eleven, "seven")):
        with pytest.raises(UsageError, match=f"the tables in .*{place} are of other classes; choose another folder"):
            import_table(data, tmp_path / place / "other.csv")
        assert not (tmp_path / place / "other.csv").exists()
    assert not (tmp_path / "seven" / "label_space.json").exists()


# All clips, whatever their part or fold


@pytest.mark.parametrize(
    "text",
    [
        "path,label\na.png,sad\nb.mp4,sad\n",
        "path,label,part\na.png,sad,train\nb.mp4,sad,test\n",
        "path,label,fold\na.png,sad,2\nb.mp4,sad,3\n",
        "path,label,part,fold\na.png,sad,train,2\nb.mp4,sad,validation,\n",
    ],
)
def test_every_clip_of_a_table_is_to_be_had_at_once_and_stays_in_its_file(tmp_path: Path, text: str) -> None:
    found = load_whole(f"table:{csv(tmp_path, text)}", size=8, frames=4, space=EXPRESSIONS)
    assert [Path(name).name for name in found.names] == ["a.png", "b.mp4"]
    assert found.labels.tolist() == [1, 1]
    assert found.scenes is None


def test_every_clip_of_data_with_folds_is_to_be_had_at_once_with_its_scene(tmp_path: Path) -> None:
    tree = draw_dfew(tmp_path / "DFEW")
    found = load_whole(f"dfew:{tree}", size=8, frames=None, space=EXPRESSIONS, scenes=True)
    of_folds = {str(item.path) for fold in range(1, 6) for item in items(f"dfew:{tree}", fold=fold)}
    assert set(found.names) == of_folds
    assert len(found) == len(of_folds)
