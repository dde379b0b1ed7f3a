from __future__ import annotations

from pathlib import Path

import pytest

from mimica.errors import InputError
from mimica.reading.agreement.coding import Recording
from mimica.reading.agreement.tables import read_table


def read(folder: Path, text: str, *, encoding: str = "utf-8") -> list[Recording]:
    path = folder / "coder.txt"
    path.write_text(text, encoding=encoding)
    return read_table(path)


def told(recordings: list[Recording]) -> dict[str, dict[str, list[tuple[float, float, str | None]]]]:
    return {
        each.source: {
            who: [(s.start, s.end, s.word) for s in said] for who, said in each.people.items()
        } for each in recordings
    }  # fmt: skip


def test_a_table_of_ones_own_needs_three_columns_in_any_order_and_case(tmp_path: Path) -> None:
    found = read(tmp_path, "End,Label,note,START\n1.5,happy,!,0\n3,very sad , ,1.5\n")
    assert told(found) == {"": {"": [(0, 1.5, "happy"), (1.5, 3, "very sad")]}}
    assert found[0].also == ("coder",)


def test_persons_and_sources_are_told_apart(tmp_path: Path) -> None:
    found = read(tmp_path, "source,person,start,end,label\na.mp4,0,0,1,fear\nb.mp4,0,0,2,anger\na.mp4,anna,0,3,joy\n")
    assert told(found) == {
        "a.mp4": {"0": [(0, 1, "fear")], "anna": [(0, 3, "joy")]}, "b.mp4": {"0": [(0, 2, "anger")]},
    }  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        "start;end;label\n0,5;1,25;sad, then not\n",
        "start\tend\tlabel\n0.5\t1.25\tsad, then not\n",
        'start,end,label\n0.5,1.25,"sad, then not"\n',
        'start,end,label\n00:00:00.500,0:01.25,"sad, then not"\n',
        'start,end,label\r\n\r\n,,\r\n0.5,1.25,"sad, then not"\r\n',
    ],
)
def test_spreadsheets_of_any_country_are_read(tmp_path: Path, text: str) -> None:
    for encoding in ("utf-8", "utf-8-sig"):
        assert told(read(tmp_path, text, encoding=encoding)) == {"": {"": [(0.5, 1.25, "sad, then not")]}}


HEAD = ("hh:mm:ss.ms", "ss.msec")


@pytest.mark.parametrize(
    "names", [("Begin Time", "End Time", "Duration"), ("Temps de départ", "temps de fin", "Durée")]
)
def test_elans_export_with_a_column_for_each_tier(tmp_path: Path, names: tuple[str, ...]) -> None:
    head = "\t".join(f"{name} - {form}" for name in names for form in HEAD)
    rows = ["00:00:01.250\t1.25\t00:01:02.500\t62.5\t00:01:01.250\t61.25\thappy\t",
            "00:01:02.500\t62.5\t00:01:04.000\t64.0\t00:00:01.500\t1.5\tsad\tfear"]  # fmt: skip
    found = told(read(tmp_path, "\n".join([f"{head}\tmother\tchild", *rows])))
    assert found == {"": {"mother": [(1.25, 62.5, "happy"), (62.5, 64, "sad")], "child": [(62.5, 64, "fear")]}}


def test_elans_export_of_several_files_with_a_column_for_each_tier(tmp_path: Path) -> None:
    rows = ["Begin Time - msec\tEnd Time - msec\tmother\tFile Name\tFile Path", "0\t1500\tsad\tx.eaf\t-/day 1/x.eaf",
            "0\t2000\tjoy\ty.eaf\t-/day 2/y.eaf"]  # fmt: skip
    found = told(read(tmp_path, "\n".join(rows)))
    assert found == {"x.eaf": {"mother": [(0, 1.5, "sad")]}, "y.eaf": {"mother": [(0, 2, "joy")]}}


ROWS = [
    "mother\tAnna\t00:00:01.250\t1.25\t00:00:02.500\t2.5\t00:00:01.250\t1.25\thappy",
    "child\t\t00:00:02.500\t2.5\t00:00:04.000\t4.0\t00:00:01.500\t1.5\tsad",
]
KNOWN = {"": {"mother": [(1.25, 2.5, "happy")], "child": [(2.5, 4.0, "sad")]}}


def columns(*kept: int) -> str:
    return "\n".join("\t".join(row.split("\t")[place] for place in kept) for row in ROWS)


@pytest.mark.parametrize(
    "text",
    [
        columns(*range(9)),
        columns(0, 2, 4, 6, 8),
        columns(0, 3, 5, 7, 8),
        columns(0, 3, 5, 8),
        columns(0, 1, 2, 3, 4, 5, 8),
        columns(0, 3, 5, 7, 8).replace("\t", ","),
        '"#C:\\\\day.mp4 -- offset: 0"\n\n' + columns(*range(9)),
        columns(0, 3, 5, 7, 8).replace("happy", "happy\tof good cheer"),
        "Tier\tBegin Time - ss.msec\tEnd Time - ss.msec\tDuration - ss.msec\tAnnotation\n" + columns(0, 3, 5, 7, 8),
    ],
)
def test_elans_export_with_a_row_for_each_annotation_whatever_was_chosen(tmp_path: Path, text: str) -> None:
    assert told(read(tmp_path, text)) == KNOWN


def test_whole_numbers_are_thousandths_and_a_number_after_them_may_be_the_word(tmp_path: Path) -> None:
    assert told(read(tmp_path, "m\t1000\t2500\t1500\t3\nm\t3000\t3500\t500\t4\n")) == {
        "": {"m": [(1, 2.5, "3"), (3, 3.5, "4")]}
    }
    assert told(read(tmp_path, "m\t1000\t2500\t3\nm\t3000\t3500\t4\n")) == {"": {"m": [(1, 2.5, "3"), (3, 3.5, "4")]}}


def test_a_row_for_each_annotation_may_be_without_tiers(tmp_path: Path) -> None:
    assert told(read(tmp_path, columns(3, 5, 8))) == {"": {"": [(1.25, 2.5, "happy"), (2.5, 4.0, "sad")]}}


def test_a_row_for_each_annotation_of_several_files(tmp_path: Path) -> None:
    mother, child = columns(0, 3, 5, 8).split("\n")
    expected = {"x.eaf": {"mother": KNOWN[""]["mother"]}, "y.eaf": {"child": KNOWN[""]["child"]}}
    assert told(read(tmp_path, f"{mother}\tx.eaf\n{child}\ty.eaf\n")) == expected
    assert told(read(tmp_path, f'"#x.eaf"\n{mother}\n\n"#y.eaf"\n{child}\n')) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("start,end,label\n0,x,sad\n", r"row 2: 'x' is no time; write seconds"),
        ("start,end,label\n0,1,sad\n0,,sad\n", "row 3: '' is no time"),
        ("start,end,label\n0,1e300,sad\n", "no time"),
        ("start,end,label\n0,nan,sad\n", "no time"),
        ("start,end,label\n0,1,sad\n3,2,sad\n", "row 3: it ends at 2 s, before it starts at 3 s"),
        ("start,end\n0,1\n", "neither the columns start, end, label"),
        ("one two three\n", "neither the columns"),
        ("m\t0.0\tsad\n", "neither the columns"),
        ("Begin Time - ss.msec\tm\n0.0\tsad\n", "times of both begin and end"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_row(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as error:
        read(tmp_path, text)
    assert "coder.txt" in str(error.value)


def test_another_encoding_is_refused_and_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        read(tmp_path, "start,end,label\n0,1,wütend\n", encoding="latin-1")
