"""The first sheet of an Excel workbook (.xlsx) as rows of text: enough for label files, without a library for it.

A workbook is a zip of XML parts: ECMA-376, Part 1, sections 18.2 (workbook), 18.3 (sheet), 18.4 (shared strings).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

from mimica.errors import InputError

_MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
_LINK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"


def sheet_rows(path: Path) -> list[list[str]]:
    """Every row of the first sheet, empty cells as empty text and whole numbers without a decimal point.

    Raises InputError for a file that is no workbook.
    """
    try:
        with ZipFile(path) as book:
            texts = _texts(book)
            return [_row(row, texts) for row in ElementTree.fromstring(book.read(_first(book))).iter(f"{_MAIN}row")]
    except (OSError, BadZipFile, ElementTree.ParseError, KeyError, ValueError, IndexError, AttributeError) as error:
        raise InputError(f"cannot read {path} as an Excel workbook: {error}") from None


def _first(book: ZipFile) -> str:
    """The part that holds the sheet which the workbook lists first."""
    sheet = ElementTree.fromstring(book.read("xl/workbook.xml")).find(f"{_MAIN}sheets/{_MAIN}sheet")
    if sheet is None:
        raise ValueError("it has no sheet")
    links = ElementTree.fromstring(book.read("xl/_rels/workbook.xml.rels"))
    target = {link.attrib["Id"]: link.attrib["Target"] for link in links}[sheet.attrib[_LINK]]
    return target[1:] if target.startswith("/") else posixpath.normpath(posixpath.join("xl", target))


def _texts(book: ZipFile) -> list[str]:
    """The texts that cells point to by number."""
    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
    return [_text(item) for item in shared.iter(f"{_MAIN}si")]


def _text(item: ElementTree.Element) -> str:
    return "".join(part.text or "" for part in item.iter(f"{_MAIN}t"))


def _row(row: ElementTree.Element, texts: list[str]) -> list[str]:
    filled = list(_cells(row, texts))
    cells = [""] * (1 + max((place for place, _ in filled), default=-1))
    for place, text in filled:
        cells[place] = text
    return cells


def _cells(row: ElementTree.Element, texts: list[str]) -> Iterator[tuple[int, str]]:
    """The place, from 0, and the text of each cell that is there; a cell that names no column follows the last."""
    place = -1
    for cell in row.iter(f"{_MAIN}c"):
        named = re.match(r"[A-Z]+", cell.get("r", ""))
        place = _column(named[0]) if named else place + 1
        value = cell.findtext(f"{_MAIN}v", "")
        kind = cell.get("t", "n")
        if kind == "s":
            value = texts[int(value)]
        elif kind == "inlineStr":
            value = _text(cell)
        elif kind == "n" and value and float(value).is_integer():
            value = str(int(float(value)))
        yield place, value


def _column(letters: str) -> int:
    """The place of a column, from 0, by its letters.

    >>> [_column(letters) for letters in ("A", "Z", "AA")]
    [0, 25, 26]
    """
    number = 0
    for letter in letters:
        number = 26 * number + ord(letter) - ord("A") + 1
    return number - 1
