from __future__ import annotations

from pathlib import Path

import pytest

from mimica.data.faces_labels import Label, Labels
from mimica.errors import InputError


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def table(text: str, name: str = "labels.csv") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def words(labels: Labels, *sources: str) -> list[str]:
    given = labels.of(sources)[0]
    return [given[source].label if source in given else "" for source in sources]


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize("named", ["in/a.mp4", "../in/a.mp4", "a.mp4", "a"])
def test_a_source_is_named_by_path_from_here_or_from_the_table_by_name_or_without_its_ending(named: str) -> None:
    labels = Labels(file=table(f"source,label\n{named},fear\n", "lists/labels.csv"))
    assert words(labels, "in/a.mp4", "in/b.mp4") == ["fear", ""]


@pytest.mark.usefixtures("place")
def test_a_folder_of_frames_is_named_like_a_file() -> None:
    assert words(Labels(file=table("source,label\ntake1,fear\n")), "in/take1", "in/take2") == ["fear", ""]


def test_a_source_may_be_named_by_its_whole_path(place: Path) -> None:
    labels = Labels(file=table(f"label,source\njoy,{place / 'in' / 'a.mp4'}\n"))
    assert words(labels, "in/a.mp4") == ["joy"]


@pytest.mark.usefixtures("place")
def test_a_table_may_say_the_part_too() -> None:
    labels = Labels(file=table("source,label,part\na,joy,train\nb,,test\n"))
    assert labels.of(["a.mp4", "b.mp4"])[0] == {
        "a.mp4": Label(label="joy", part="train"),
        "b.mp4": Label(label="", part="test"),
    }


@pytest.mark.usefixtures("place")
def test_rows_of_other_sources_are_told_and_harm_nothing() -> None:
    given, strangers = Labels(file=table("source,label\na,joy\nc,fear\n")).of(["a.mp4"])
    assert given == {"a.mp4": Label(label="joy")}
    assert strangers == ["c"]


@pytest.mark.usefixtures("place")
def test_a_name_that_two_sources_have_must_be_a_path() -> None:
    labels = Labels(file=table("source,label\na.mp4,joy\n"))
    with pytest.raises(InputError, match=r"labels\.csv, row 2: 2 sources are called a\.mp4, x/a\.mp4 among them"):
        labels.of(["x/a.mp4", "y/a.mp4"])
    assert words(Labels(file=table("source,label\ny/a.mp4,joy\n")), "x/a.mp4", "y/a.mp4") == ["", "joy"]


@pytest.mark.usefixtures("place")
def test_a_source_with_two_labels_is_refused_and_one_that_is_named_twice_alike_is_not() -> None:
    assert words(Labels(file=table("source,label\na,joy\na.mp4,joy\n")), "a.mp4") == ["joy"]
    with pytest.raises(InputError, match=r"row 3: a\.mp4 has another label or part in an earlier row"):
        Labels(file=table("source,label\na,joy\na.mp4,fear\n")).of(["a.mp4"])


@pytest.mark.usefixtures("place")
@pytest.mark.parametrize(
    ("text", "said"),
    [("", "no column 'source'; it has nothing"), ("source,class\na,joy\n", "no column 'label'; it has source, class")],
)
def test_a_table_of_other_columns_is_refused_before_anything_is_read(text: str, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Labels(file=table(text))


@pytest.mark.usefixtures("place")
def test_the_folder_may_be_the_class_and_the_table_corrects_it() -> None:
    sources = ("videos/joy/a.mp4", "videos/fear/b.mp4", "videos/fear/frames")
    assert words(Labels(by_folder=True), *sources) == ["joy", "fear", "fear"]
    both = Labels(by_folder=True, file=table("source,label,part\nb,sad,\na,,test\n"))
    assert words(both, *sources) == ["joy", "sad", "fear"]
    assert both.of(sources)[0][sources[0]].part == "test"


def test_without_either_nothing_has_a_label() -> None:
    assert Labels().of(["videos/joy/a.mp4"]) == ({}, [])
