"""MAFW: 9,172 clips of one label in eleven classes, five folds (arXiv 2208.00847; https://mafw-database.github.io).

    Train & Test Set/single/no_caption/set_K/{train,test}.txt    lines `00025.mp4 anger`; also Train_Test_Set
    Train & Test Set/single/with_caption/set_K/{train,test}.txt  tabs: clip, class, Chinese, English; GBK
    data/faces/00025/*.png                                       faces; data/frames where these are not there
    data/frames/00025/*.png, data/clips/00025.mp4                the scene view
    Labels/single-set.xlsx                                       compared with, where it is there

Neutral clips have no caption and are not in with_caption, so no_caption says which clips there are. A
clip's name here is its number in five digits, and its caption the English one.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

from mimica.data.published import PARTS, LabelFile, Published, Row, by_number, dealt, lines_of
from mimica.data.sheet import sheet_rows
from mimica.errors import InputError
from mimica.labels import MAFW

FOLDS = 5
COUNTS = dealt((1390, 639, 625, 1242, 1138, 1470, 1072, 236, 916, 262, 182), FOLDS)
"""The published totals, in the order of `labels.MAFW`."""

_SETS = ("Train & Test Set", "Train_Test_Set")
_NUMBERED = {str(number): name for number, name in enumerate(MAFW.names, start=1)}


def read_mafw(path: Path) -> Published:
    """MAFW in a folder. Raises InputError where it holds no clips of faces."""
    split = next((path / name for name in _SETS if (path / name).is_dir()), path / _SETS[0]) / "single"
    files, others = [], []
    for fold in range(1, FOLDS + 1):
        for part in PARTS:
            plain, told = (split / kind / f"set_{fold}" / f"{part}.txt" for kind in ("no_caption", "with_caption"))
            files.append(LabelFile(path=plain, rows=partial(_rows, plain, told), part=part, fold=fold))
            if told.exists():
                others.append(LabelFile(path=told, rows=partial(_told, told), part=part, fold=fold, whole=False))
    single = path / "Labels" / "single-set.xlsx"
    if single.exists():
        others.append(LabelFile(path=single, rows=partial(_single, single), whole=False))
    data = path / "data" if (path / "data").is_dir() else path
    views = {view: by_number(data / view, _name) for view in ("faces", "frames", "clips")}
    place = data / ("faces" if views["faces"] else "frames")
    clips = views[place.name]
    if not clips:
        raise InputError(f"{path} holds no faces of MAFW: there is no clip in {data / 'faces'}, such as 00025/")
    scenes = views["clips"] if place.name == "frames" else views["clips"] | views["frames"]
    return Published(
        name="MAFW", space=MAFW, files=files, others=others, clips=clips, place=place, scenes=scenes, folds=FOLDS,
        counts=COUNTS,
    )  # fmt: skip


def _name(number: int) -> str:
    return f"{number:05d}"


def _rows(plain: Path, told: Path) -> list[Row]:
    """The labels of one part of a fold, with captions where the file that has them is there."""
    captions = {row.clip: row.caption for row in _told(told)} if told.exists() else {}
    rows = []
    for line, text in lines_of(plain):
        clip, _, label = text.partition(" ")
        name = _clip(plain, line, clip)
        rows.append(Row(clip=name, label=label.strip(), caption=captions.get(name, ""), file=plain, line=line))
    return rows


def _told(told: Path) -> list[Row]:
    """The labels and English captions of one part of a fold."""
    rows = []
    for line, text in lines_of(told):
        clip, *cells = (cell.strip() for cell in text.split("\t"))
        if len(cells) != 3:
            raise InputError(f"{told}, line {line}: it has {len(cells) + 1} columns, not clip, class and two captions")
        # By its letters rather than by its place: a Chinese caption would mean nothing to the encoders here.
        caption = max(cells[1:], key=lambda text: sum(map(str.isascii, text)) / max(1, len(text)))
        rows.append(Row(clip=_clip(told, line, clip), label=cells[0], caption=caption, file=told, line=line))
    return rows


def _single(path: Path) -> list[Row]:
    """What the sheet of single labels says, below the line that names its columns."""
    table = sheet_rows(path)
    heads = [[cell.strip().lower() for cell in cells] for cells in table[:3]]
    top = next((place for place, head in enumerate(heads) if {"clip", "single_label"} <= set(head)), None)
    if top is None:
        raise InputError(f"{path} has no columns clip and single_label")
    clip, label = heads[top].index("clip"), heads[top].index("single_label")
    return [
        Row(clip=_clip(path, line, row[clip]), label=_NUMBERED.get(row[label], row[label]), file=path, line=line)
        for line, row in enumerate(table[top + 1 :], start=top + 2)
        if len(row) > max(clip, label) and row[clip]
    ]


def _clip(file: Path, line: int, name: str) -> str:
    number = Path(name).stem
    if not number.isdecimal():
        raise InputError(f"{file}, line {line}: '{name}' is not the name of a clip, such as 00025.mp4")
    return _name(int(number))
