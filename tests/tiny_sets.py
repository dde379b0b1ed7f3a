"""Published data sets as they lie on disk, drawn small: every clip has one tiny picture unless told otherwise.

Clips are linked to one file, so that even a tree of full counts is there in a second.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from xml.sax.saxutils import escape
from zipfile import ZipFile

import pytest
from PIL import Image

from mimica.data import dfew, ferv39k, mafw
from mimica.data.published import Counts, dealt
from mimica.labels import MAFW

SMALL = dealt((10, 9, 8, 7, 6, 5, 6), folds=5)
"""Counts of a small DFEW: 51 clips."""

SMALL_ELEVEN = dealt((6, 5, 7, 5, 5, 6, 5, 5, 5, 8, 5), folds=5)
"""Counts of a small MAFW: 62 clips."""

SMALL_SCENES = Counts(
    clips={(None, "train"): (4, 4, 4, 4, 4, 4, 4), (None, "test"): (2, 2, 2, 2, 2, 2, 2)},
    groups={"Action": 14, "War": 14},
)
"""Counts of a small FERV39k: 42 clips of two scenes."""

WORDS = ("Happy", "Sad", "Neutral", "Angry", "Surprise", "Disgust", "Fear")
"""The words of FERV39k, in the order of the seven expressions."""

FERV = ("2_ClipsforFaceCrop", "3_ClipsforScenImages")


def frames(folder: Path, number: int = 1, *, stem: str = "", ending: str = ".jpg", shade: int = 100) -> Path:
    """A clip of that many pictures, all of them one file."""
    folder.mkdir(parents=True, exist_ok=True)
    first = folder / f"{stem}00001{ending}"
    Image.new("RGB", (8, 8), (shade,) * 3).save(first)
    for i in range(2, number + 1):
        os.link(first, folder / f"{stem}{i:05d}{ending}")
    return folder


def folds_of(totals: Sequence[int]) -> dict[int, list[tuple[int, int]]]:
    """By fold, the number of each clip that it tests and the place of its class: a block of numbers a class."""
    tests: dict[int, list[tuple[int, int]]] = {fold: [] for fold in range(1, 6)}
    for place, (first, total) in enumerate(zip(accumulate([1, *totals]), totals, strict=False)):
        numbers = iter(range(first, first + total))
        for fold, (train, test) in parts(totals).items():
            assert train[place] + test[place] == total
            tests[fold] += [(next(numbers), place) for _ in range(test[place])]
    return tests


def parts(totals: Sequence[int]) -> dict[int, tuple[tuple[int, ...], tuple[int, ...]]]:
    clips = dealt(totals, folds=5).clips
    return {fold: (clips[fold, "train"], clips[fold, "test"]) for fold in range(1, 6)}


def split(totals: Sequence[int]) -> dict[tuple[int, str], list[tuple[int, int]]]:
    """By fold and part, clips by number and the places of their classes."""
    tests = folds_of(totals)
    train = {fold: [clip for other in tests if other != fold for clip in tests[other]] for fold in tests}
    return {(fold, part): by[fold] for fold in tests for part, by in (("train", train), ("test", tests))}


def publish_small(monkeypatch: pytest.MonkeyPatch) -> None:
    """From here on the published counts are those of the small trees."""
    monkeypatch.setattr(dfew, "COUNTS", SMALL)
    monkeypatch.setattr(mafw, "COUNTS", SMALL_ELEVEN)
    monkeypatch.setattr(ferv39k, "COUNTS", SMALL_SCENES)


def labels(root: Path, part: str, fold: int = 1) -> Path:
    """A label file of a tree of DFEW."""
    return root / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"set_{fold}.csv"


def draw_dfew(root: Path, counts: Counts = SMALL, *, labels: str = "csv", grouped: bool = False) -> Path:
    """A tree of DFEW. `labels` is csv or xlsx in EmoLabel_DataSplit, or toolkit for its `label` and `data` folders."""
    totals = [sum(pair) for pair in zip(counts.clips[1, "train"], counts.clips[1, "test"], strict=True)]
    for (fold, part), clips in split(totals).items():
        rows: list[list[object]] = [["video_name", "label"], *([number, place + 1] for number, place in clips)]
        place = root / "EmoLabel_DataSplit" / f"{part}(single-labeled)" / f"set_{fold}"
        if labels == "xlsx":
            write_xlsx(place.with_suffix(".xlsx"), rows)
        else:
            write_csv(root / "label" / f"single_{part}set_{fold}.csv" if labels == "toolkit" else f"{place}.csv", rows)
    faces = root / ("data" if labels == "toolkit" else "Clip/clip_224x224")
    one = frames(root / "one") / "00001.jpg"
    for number in range(1, sum(totals) + 1):
        group = f"clip_224x224_part_{(number - 1) // 20 + 1}" if grouped else ""
        clip = faces / group / f"{number:05d}"
        clip.mkdir(parents=True)
        os.link(one, clip / f"{number:05d}_00001.jpg")
    return root


def draw_ferv39k(root: Path, counts: Counts = SMALL_SCENES, *, by_scene: bool = False) -> Path:
    """A tree of FERV39k with both views; `by_scene` has its labels in 22_scenes instead of All_scenes."""
    scenes = list(counts.groups)
    for part in ("train", "test"):
        lines: dict[str, list[str]] = {scene: [] for scene in scenes}
        for word, number in zip(WORDS, counts.clips[None, part], strict=True):
            for i in range(number):
                scene = scenes[i % len(scenes)]
                clip = f"{scene}/{word}/{i + (part == 'test') * 1000:04d}"
                lines[scene].append(f"{clip} {word}\n")
                for view in FERV:
                    frames(root / view / clip)
        setups = root / "4_setups"
        for scene, text in lines.items():
            if by_scene:
                write(setups / "22_scenes" / f"{part}_{scene}.csv", "".join(text))
        if not by_scene:
            write(setups / "All_scenes" / f"{part}_All.csv", "".join(line for text in lines.values() for line in text))
    return root


def draw_mafw(root: Path, counts: Counts = SMALL_ELEVEN, *, name: str = "Train & Test Set") -> Path:
    """A tree of MAFW with captions in GBK, faces and frames."""
    totals = [sum(pair) for pair in zip(counts.clips[1, "train"], counts.clips[1, "test"], strict=True)]
    for (fold, part), clips in split(totals).items():
        place = root / name / "single"
        plain = [f"{number:05d}.mp4 {MAFW.names[label]}\n" for number, label in clips]
        write(place / "no_caption" / f"set_{fold}" / f"{part}.txt", "".join(plain))
        told = [
            f"{number:05d}.mp4\t{MAFW.names[label]}\t皱着眉头 {number}\tThe man frowns “so” {number}.\n"
            for number, label in clips
            if MAFW.names[label] != "neutral"
        ]
        write(place / "with_caption" / f"set_{fold}" / f"{part}.txt", "".join(told), encoding="gbk")
    one = frames(root / "one", ending=".png") / "00001.png"
    for number in range(1, sum(totals) + 1):
        for view in ("faces", "frames"):
            clip = root / "data" / view / f"{number:05d}"
            clip.mkdir(parents=True)
            os.link(one, clip / one.name)
    return root


def write(path: Path, text: str, *, encoding: str = "utf-8") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding=encoding)
    return path


def write_csv(path: Path | str, rows: Sequence[Sequence[object]]) -> Path:
    return write(Path(path), "".join(",".join(map(str, row)) + "\n" for row in rows))


def replace(path: Path, old: str, new: str) -> None:
    """Change a text file where it says something, which it must."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{path} does not hold {old!r}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_LINKS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_PACKAGE = "http://schemas.openxmlformats.org/package/2006/relationships"


def write_xlsx(path: Path, rows: Sequence[Sequence[object]], *, shared: bool = True) -> Path:
    """A workbook whose first sheet is not the first file in it; text is shared, or stands in its cells."""
    texts: dict[str, int] = {}

    def cell(place: str, value: object) -> str:
        if isinstance(value, int | float):
            return f'<c r="{place}"><v>{value}</v></c>'
        if shared:
            return f'<c r="{place}" t="s"><v>{texts.setdefault(str(value), len(texts))}</v></c>'
        return f'<c r="{place}" t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'

    lines = [
        f'<row r="{i}">{"".join(cell(f"{chr(65 + j)}{i}", value) for j, value in enumerate(row) if value != "")}</row>'
        for i, row in enumerate(rows, start=1)
    ]
    files: Mapping[str, str] = {
        "xl/workbook.xml": f'<workbook xmlns="{_MAIN}" xmlns:r="{_LINKS}"><sheets><sheet name="labels" sheetId="2" '
        'r:id="rId7"/><sheet name="notes" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{_PACKAGE}">'
        '<Relationship Id="rId1" Target="worksheets/sheet1.xml" Type="t"/>'
        '<Relationship Id="rId7" Target="worksheets/sheet2.xml" Type="t"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{_MAIN}"><sheetData/></worksheet>',
        "xl/worksheets/sheet2.xml": f'<worksheet xmlns="{_MAIN}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
        "xl/sharedStrings.xml": f'<sst xmlns="{_MAIN}">'
        + "".join(f"<si><r><t>{escape(text[:2])}</t></r><r><t>{escape(text[2:])}</t></r></si>" for text in texts)
        + "</sst>",
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with ZipFile(path, "w") as book:
        for name, text in files.items():
            if shared or "shared" not in name:
                book.writestr(name, text)
    return path
