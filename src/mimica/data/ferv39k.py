"""FERV39k: 38,935 clips of 22 scenes in seven classes, one split (arXiv 2203.09463).

    4_setups/All_scenes/{train,test}_All.csv        lines `Action/Happy/0015 Happy`
    4_setups/22_scenes/{train,test}_Action.csv      the same by scene; read where All_scenes is not there
    2_ClipsforFaceCrop/Action/Happy/0015/*.jpg      the face view
    3_ClipsforScenImages/Action/Happy/0015/*.jpg    the scene view

A clip's name here is `Action/Happy/0015`, and its group is the scene.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mimica.data.published import PARTS, Counts, LabelFile, Published, Row, first_there, inside, lines_of
from mimica.errors import InputError
from mimica.labels import EXPRESSIONS
from mimica.video.sources import is_media

COUNTS = Counts(
    clips={
        (None, "train"): (5854, 5523, 7790, 5906, 2502, 1833, 1680),
        (None, "test"): (1473, 1393, 1958, 1487, 638, 467, 431),
    },
    groups={
        "History": 2151, "Argue": 2122, "Conflict": 1990, "War": 1963, "Contest": 1917, "DailyLife": 1868,
        "Terror": 1677, "Interview": 1675, "ScholarReport": 1609, "School": 1607, "Crime": 1494, "Speech": 1465,
        "Business": 1418, "Talkshow": 1386, "Crisis": 1193, "OfficialEvent": 1136, "ElegantArt": 990, "Liveshow": 903,
        "Social": 892, "Action": 640, "Medicine": 549, "Experiment": 443,
    },
)  # fmt: skip
"""The published counts, in the order of the seven expressions; and by scene, of the clips to train on."""


def read_ferv39k(path: Path) -> Published:
    """FERV39k in a folder. Raises InputError where it holds no clips of faces."""
    setups = path / "4_setups" if (path / "4_setups").is_dir() else path
    files, others = [], []
    for part in PARTS:
        whole, scenes = setups / "All_scenes" / f"{part}_All.csv", setups / "22_scenes"
        by_scene = sorted(Path(e.path) for e in inside(scenes) if e.name.startswith(f"{part}_") and _is_csv(e.name))
        candidates = [LabelFile(path=whole, rows=partial(_rows, [whole]), part=part)]
        if by_scene:
            candidates.append(LabelFile(path=scenes, rows=partial(_rows, by_scene), part=part))
        file, more = first_there(candidates)
        files.append(file)
        others += more
    place = _unzipped(path / "2_ClipsforFaceCrop")
    clips = _clips(place)
    if not clips:
        raise InputError(f"{path} holds no faces of FERV39k: there is no clip in {place}, such as Action/Happy/0001/")
    return Published(
        name="FERV39k", space=EXPRESSIONS, files=files, others=others, clips=clips, place=place,
        scenes=_clips(_unzipped(path / "3_ClipsforScenImages")), counts=COUNTS,
    )  # fmt: skip


def _is_csv(name: str) -> bool:
    return name.lower().endswith(".csv")


def _unzipped(folder: Path) -> Path:
    """A folder, or the one of its own name that its archive was unpacked to."""
    return folder / folder.name if (folder / folder.name).is_dir() else folder


def _clips(folder: Path) -> dict[str, Path]:
    """Clips by `Scene/Emotion/NNNN`: folders of frames, or videos."""
    return {
        f"{scene.name}/{emotion.name}/{clip.name if clip.is_dir() else Path(clip.name).stem}": Path(clip.path)
        for scene in inside(folder)
        for emotion in inside(Path(scene.path))
        for clip in inside(Path(emotion.path))
        if clip.is_dir() or is_media(clip.name)
    }


def _rows(files: Sequence[Path]) -> list[Row]:
    return [row for file in files for row in _of_file(file)]


def _of_file(file: Path) -> list[Row]:
    rows = []
    for line, text in lines_of(file):
        clip, _, label = text.rpartition(" ")
        place = clip.strip().strip("/").split("/")
        if len(place) != 3:
            raise InputError(f"{file}, line {line}: '{text}' is not of the form Scene/Emotion/0001 Emotion")
        rows.append(Row(clip="/".join(place), label=label, shown=place[1], group=place[0], file=file, line=line))
    return rows
