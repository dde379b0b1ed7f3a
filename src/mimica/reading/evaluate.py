"""How right a recogniser is on labelled files, through the whole chain that reads them, and how well it knows it.

N files, C classes.
"""

from __future__ import annotations

import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from mimica.clips import STATUSES, Clip, Reading
from mimica.data.clipset import Item
from mimica.data.degrade import degraded
from mimica.errors import InputError
from mimica.metrics.calibration import Bin, Covered, ece, reliability, risk_coverage
from mimica.metrics.classification import Interval, bootstrap, confusion, recalls, uar, war
from mimica.reading.reader import Reader
from mimica.recognition.model import Recogniser

QUALITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
BRIGHTNESSES = (0.0, 0.25, 0.4, 0.55, 1.0)
"""Where files are parted by the apparent quality of their face and by its mean brightness, black 0 and white 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What one file was read as: the place of its class and its confidence, None where it has no reading.

    `status` is that of most of its readings, `quality` and `brightness` the means over its frames, 0 to 1.
    """

    item: Item
    guess: int | None = None
    confidence: float = 0.0
    status: str = "no_face"
    quality: float = 0.0
    brightness: float = 0.0
    error: str = ""

    @property
    def right(self) -> bool:
        """Whether it was read as what it is labelled."""
        return self.guess == self.item.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """A part of the files: what parts it off, how many they are, and their figures."""

    by: str
    value: str
    n: int
    war: float
    uar: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """Figures as fractions. A file without a reading counts as wrong and is named in `unread` with the reason.

    `confusion` [C, C] has the truth in rows; `per_class` is each class's recall, None without files.
    `ece`, `reliability` and `curve`, the risk by coverage, are over the files that were read.
    `statuses` is the share of each status, `sure` the share that is right of those with status ok,
    None without any; `slices` are the figures of parts of the files. `files` is what each was read as.
    """

    labels: tuple[str, ...]
    n: int
    war: Interval
    uar: Interval
    per_class: dict[str, float | None]
    confusion: np.ndarray
    ece: float | None
    unread: dict[str, str]
    statuses: dict[str, float]
    sure: float | None
    reliability: tuple[Bin, ...]
    curve: tuple[Covered, ...]
    slices: tuple[Slice, ...]
    files: tuple[Read, ...] = field(repr=False)

    def facts(self) -> dict[str, object]:
        """The evaluation as JSON, without the files: 95 % intervals stand beside their figures."""
        return {
            "n": self.n,
            "war": self.war.value,
            "uar": self.uar.value,
            "war_interval": [self.war.low, self.war.high],
            "uar_interval": [self.uar.low, self.uar.high],
            "per_class": self.per_class,
            "labels": list(self.labels),
            "confusion": self.confusion.tolist(),
            "ece": self.ece,
            "statuses": self.statuses,
            "war_of_ok": self.sure,
            "reliability": [bar._asdict() for bar in self.reliability],
            "risk_coverage": [point._asdict() for point in self.curve],
            "slices": [
                {name: getattr(part, name) for name in ("by", "value", "n", "war", "uar")} for part in self.slices
            ],
            "unread": self.unread,
        }

    def kept(self, undegraded: Evaluation) -> float | None:
        """The share of readings with status ok that say what the same files said undegraded; None without any."""
        before = [read.guess for read in undegraded.files]
        same = [read.guess == said for read, said in zip(self.files, before, strict=True) if read.status == "ok"]
        return float(np.mean(same)) if same else None


def held_out(result: Evaluation, after: Mapping[str, Evaluation], *, data: str) -> dict[str, object]:
    """What a model's facts keep of an evaluation on data that it has not learned from, and `after` degradations."""
    facts = result.facts()
    kept = ("n", "war", "war_interval", "uar", "uar_interval", "ece", "per_class", "statuses", "war_of_ok")
    worse = {
        name: {
            "war": found.war.value, "uar": found.uar.value, "ece": found.ece,
            "not_sure": 1 - found.statuses["ok"], "kept": found.kept(result),
        }
        for name, found in after.items()
    }  # fmt: skip
    curves = {key: facts[key] for key in ("slices", "reliability", "risk_coverage")}
    told: dict[str, object] = rounded({"data": data, **{key: facts[key] for key in kept}, "degraded": worse, **curves})
    return told


def rounded(value: Any) -> Any:
    """The same facts with numbers to four decimals."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    return [rounded(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def evaluate(
    reader: Reader,
    items: Sequence[Item],
    *,
    degrade: str | None = None,
    seed: int = 0,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Read every file as a video would be read and compare what it shows most with its label.

    A file's probabilities are the mean over the readings of the person seen longest in it. `degrade` is
    what photos suffer before they are read, one of `data.degrade.DEGRADATIONS`; chance is by `seed` and the
    place of the file. Raises UsageError for an unknown degradation.
    """
    files = []
    with tempfile.TemporaryDirectory() as folder:
        for i, item in enumerate(items):
            try:
                source = item.path if degrade is None else _spoilt(item.path, degrade, seed + i, Path(folder))
                files.append(_read(reader, item, source))
            except InputError as error:
                files.append(Read(item=item, error=str(error)))
            progress(i + 1)
    return _summed(files, reader.recogniser.space.names)


def _spoilt(path: Path, degrade: str, seed: int, folder: Path) -> Path:
    """A degraded copy of a photo."""
    from PIL import Image

    from mimica.video.read import open_video

    with open_video(path) as photo:
        if photo.info.kind != "photo":
            raise InputError(f"{path} is a {photo.info.kind}; only photos can be degraded")
        image = next(iter(photo)).image
    copy = folder / f"{path.stem}.png"
    Image.fromarray(degraded(image, degrade, seed=seed)).save(copy)
    return copy


def _read(reader: Reader, item: Item, source: Path) -> Read:
    by_person: dict[int, list[Reading]] = defaultdict(list)
    looks: dict[int, list[tuple[float, float]]] = defaultdict(list)

    def look(clip: Clip, reading: Reading) -> None:
        looks[clip.person].append((float(clip.quality.mean()), float(clip.faces.mean()) / 255))

    for event in reader.read(source, clips=look, scene=item.scene if reader.scenes else None):
        if isinstance(event, Reading) and event.person is not None:
            by_person[event.person].append(event)
    if not by_person:
        raise InputError(f"{item.path} shows no face")
    person = max(by_person, key=lambda who: sum(r.end - r.start for r in by_person[who]) + 1e-9 * len(by_person[who]))
    readings = by_person[person]
    shares = np.array([[r.probabilities[name] for name in reader.recogniser.space.names] for r in readings]).mean(
        axis=0
    )
    quality, brightness = np.mean(looks[person], axis=0) if looks[person] else (0.0, 0.0)
    return Read(
        item=item, guess=int(shares.argmax()), confidence=float(shares.max()),
        status=Counter(r.status for r in readings).most_common(1)[0][0],
        quality=float(quality), brightness=float(brightness),
    )  # fmt: skip


def with_scenes(recogniser: Recogniser, items: Sequence[Item]) -> bool:
    """Whether files are read as faces with their scenes beside them: by a recogniser of both, where they have those.

    Raises InputError that names a file without, where others have one.
    """
    lacking = [item.path for item in items if item.scene is None]
    if not recogniser.reads_scenes or len(lacking) == len(items):
        return False
    if lacking:
        raise InputError(f"{lacking[0]} has no scene, and others have one; give all of them one or none")
    return True


def _summed(files: Sequence[Read], names: tuple[str, ...]) -> Evaluation:
    table = read_as(files, len(names))
    read = [file for file in files if file.guess is not None]
    confidence = np.array([file.confidence for file in read])
    right = np.array([file.right for file in read], dtype=bool)
    sure = [file.right for file in read if file.status == "ok"]
    return Evaluation(
        labels=names,
        n=len(files),
        war=bootstrap(table, war),
        uar=bootstrap(table, uar),
        per_class={name: None if np.isnan(r) else float(r) for name, r in zip(names, recalls(table), strict=True)},
        confusion=table[:, : len(names)],
        ece=ece(confidence, right) if read else None,
        unread={str(file.item.path): file.error for file in files if file.guess is None},
        statuses={status: sum(file.status == status for file in files) / len(files) for status in STATUSES},
        sure=float(np.mean(sure)) if sure else None,
        reliability=tuple(reliability(confidence, right)) if read else (),
        curve=tuple(risk_coverage(confidence, right)) if read else (),
        slices=tuple(_slices(files, len(names))),
        files=tuple(files),
    )


def read_as(files: Sequence[Read], C: int) -> np.ndarray:
    """The confusion of files, a row a class [C, C + 1]; in the last column those that could not be read."""
    truth = np.array([file.item.label for file in files])
    return confusion(truth, np.array([C if file.guess is None else file.guess for file in files]), C)


def _slices(files: Sequence[Read], C: int) -> list[Slice]:
    """Figures by apparent quality, by brightness, and by what groups the data names; parts without a file left out."""
    read = [file for file in files if file.guess is not None]
    parted: dict[tuple[str, str], list[Read]] = defaultdict(list)
    for by, edges in (("quality", QUALITIES), ("brightness", BRIGHTNESSES)):
        for low, high in pairwise(edges):
            inside = [f for f in read if low <= getattr(f, by) < high or (high == edges[-1] and getattr(f, by) == high)]
            parted[by, f"{low:g} to {high:g}"] += inside
    for file in files:
        if file.item.group:
            parted["group", file.item.group].append(file)
    tables: Mapping[tuple[str, str], np.ndarray] = {key: read_as(part, C) for key, part in parted.items() if part}
    return [
        Slice(by=by, value=value, n=int(table.sum()), war=war(table), uar=uar(table))
        for (by, value), table in tables.items()
    ]
