"""DFEW: 11,697 clips of films in seven classes, in five folds (arXiv 2008.05924; https://dfew-dataset.github.io).

    EmoLabel_DataSplit/{train,test}(single-labeled)/set_K.csv   or label/single_{train,test}set_K.csv; .xlsx is read too
    Clip/clip_224x224/00012/*.jpg                               faces, also grouped: clip_224x224_part_K/00012/
    Clip/clip_224x224_avi/00012.avi                             faces, where there are no pictures
    Clip/original/part_K/00012.mp4                              the scene view
    Annotation/annotation.xlsx                                  compared with, where it is there

The authors' own toolkit has `data/00012/*.jpg` beside `label/`. A clip's name here is its number in five digits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mimica.data.published import PARTS, LabelFile, Published, Row, by_number, dealt, first_there, inside, text_of
from mimica.data.sheet import sheet_rows
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS

FOLDS = 5
COUNTS = dealt((2445, 1894, 2669, 2173, 1469, 145, 902), FOLDS)
"""The published totals: happiness, sadness, neutral, anger, surprise, disgust, fear."""

_NUMBERED = {str(number): name for number, name in enumerate(EXPRESSIONS.names, start=1)}
"""The labels of DFEW are 1 to 7, in the order of the seven expressions."""

_CLIP = ("video_name", "clip_name", "order", "clip", "name")
_LABEL = ("label", "annotation")
_GROUPED = r"clip_224x224(_part_?\d+)?|part_?\d+"


def read_dfew(path: Path) -> Published:
    """DFEW in a folder. Raises InputError where it holds no clips of faces."""
    files, others = [], []
    for fold in range(1, FOLDS + 1):
        for part in PARTS:
            file, more = first_there(_label_files(path, part, fold))
            files.append(file)
            others += more
    for annotation in (path / "Annotation" / "annotation.xlsx", path / "annotation.xlsx"):
        if annotation.exists():
            others.append(LabelFile(path=annotation, rows=partial(_annotated, annotation), whole=False))
    place, clips = _faces(path)
    return Published(
        name="DFEW", space=EXPRESSIONS, files=files, others=others, clips=clips, place=place, folds=FOLDS,
        scenes=by_number(path / "Clip" / "original", _name, grouped=r"part_?\d+"), counts=COUNTS,
    )  # fmt: skip


def _label_files(path: Path, part: str, fold: int) -> list[LabelFile]:
    """Where the labels of a part may lie, the usual place first."""
    folders = [path / "EmoLabel_DataSplit" / f"{part}{kind}" for kind in ("(single-labeled)", "(single_labeled)", "")]
    stems = [*(folder / f"set_{fold}" for folder in folders), path / "label" / f"single_{part}set_{fold}"]
    places = [stem.with_name(f"{stem.name}{ending}") for stem in stems for ending in (".csv", ".xlsx")]
    return [LabelFile(path=place, rows=partial(_rows, place), part=part, fold=fold) for place in places]


def _faces(path: Path) -> tuple[Path, dict[str, Path]]:
    """The folder of the clips of faces, and where each clip lies in it."""
    clip = path / "Clip"
    for place in (clip / "clip_224x224", clip, path / "data", clip / "clip_224x224_avi"):
        if found := by_number(place, _name, grouped=_GROUPED):
            return place, found
    resampled = next((entry.path for entry in inside(clip) if entry.name.endswith("16f")), None)
    if resampled:
        raise InputError(
            f"{resampled} holds 16 frames a clip that were interpolated in time, with which published results do not "
            f"come out; put clip_224x224 of DFEW beside it"
        )
    raise InputError(f"{path} holds no faces of DFEW: there is no clip in {clip / 'clip_224x224'}, such as 00001/")


def _name(number: int) -> str:
    return f"{number:05d}"


def _rows(path: Path) -> list[Row]:
    """The labels of one part of a fold: the number of a clip and that of its class."""
    table = sheet_rows(path) if path.suffix == ".xlsx" else list(csv.reader(io.StringIO(text_of(path))))
    return _labelled(path, table, (0, 1))


def _annotated(path: Path) -> list[Row]:
    """What the annotation says of all 16,372 clips: 0 for one without a single label.

    It gives one to 12,059, of which 362 are in no fold, for no face was found in them.
    """
    return _labelled(path, sheet_rows(path), None)


def _labelled(path: Path, table: Sequence[Sequence[str]], assumed: tuple[int, int] | None) -> list[Row]:
    """Rows below a line that names the columns; `assumed` are those of a file without such a line."""
    head = [cell.strip().lower() for cell in table[0]] if table else []
    named = tuple(next((head.index(word) for word in words if word in head), -1) for words in (_CLIP, _LABEL))
    if -1 not in named:
        places = (named[0], named[1])
    elif assumed and head and head[0].isdecimal():
        places = assumed
    elif table:
        raise InputError(f"{path} has no columns video_name and label; it has {', '.join(head)}")
    else:
        return []
    rows = []
    for line, cells in enumerate(table, start=1):
        if (line == 1 and -1 not in named) or not any(cells):
            continue
        clip, label = (cells[place].strip() if place < len(cells) else "" for place in places)
        number = Path(clip).stem
        if not number.isdecimal():
            raise InputError(f"{path}, line {line}: '{clip}' is not the number of a clip")
        rows.append(Row(clip=_name(int(number)), label=_NUMBERED.get(label, label), file=path, line=line))
    return rows
