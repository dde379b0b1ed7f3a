from __future__ import annotations

import re
from pathlib import Path
from zipfile import ZipFile

import pytest

from mimica.data.sheet import sheet_rows
from mimica.errors import InputError
from tiny_sets import write_xlsx


@pytest.mark.parametrize("shared", [True, False])
def test_the_first_sheet_is_read_cell_by_cell(tmp_path: Path, shared: bool) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [["order", "label & more"], [12, 3.0], [13, 0.5]], shared=shared)
    assert sheet_rows(path) == [["order", "label & more"], ["12", "3"], ["13", "0.5"]]


def test_cells_that_are_not_there_leave_their_column_empty(tmp_path: Path) -> None:
    path = write_xlsx(tmp_path / "a.xlsx", [["a", "", "c"], [], ["", "b"]])
    assert sheet_rows(path) == [["a", "", "c"], [], ["", "b"]]


def test_a_workbook_without_text_has_no_shared_texts(tmp_path: Path) -> None:
    assert sheet_rows(write_xlsx(tmp_path / "a.xlsx", [[1, 2]], shared=False)) == [["1", "2"]]


def test_cells_that_name_no_column_follow_each_other(tmp_path: Path) -> None:
    whole, other = write_xlsx(tmp_path / "a.xlsx", [["a", "b"], [1, 2]]), tmp_path / "b.xlsx"
    with ZipFile(whole) as book, ZipFile(other, "w") as bare:
        for part in book.namelist():
            bare.writestr(part, re.sub(r'<c r="[A-Z0-9]+"', "<c", book.read(part).decode()))
    assert sheet_rows(other) == [["a", "b"], ["1", "2"]]


@pytest.mark.parametrize("content", [b"order,label\n1,2\n", b""])
def test_a_file_that_is_no_workbook_is_a_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.xlsx").write_bytes(content)
    with pytest.raises(InputError, match=r"cannot read .*a\.xlsx as an Excel workbook: "):
        sheet_rows(tmp_path / "a.xlsx")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("xl/workbook.xml", "<workbook/>"),
        ("xl/workbook.xml", "<work"),
        ("xl/_rels/workbook.xml.rels", "<Relationships/>"),
        ("xl/sharedStrings.xml", "<sst/>"),
    ],
)
def test_a_workbook_with_a_broken_part_is_a_sentence(tmp_path: Path, name: str, text: str) -> None:
    whole, broken = write_xlsx(tmp_path / "a.xlsx", [["a", "b"]]), tmp_path / "b.xlsx"
    with ZipFile(whole) as book, ZipFile(broken, "w") as other:
        for part in book.namelist():
            other.writestr(part, text if part == name else book.read(part))
    with pytest.raises(InputError, match=r"b\.xlsx as an Excel workbook"):
        sheet_rows(broken)
