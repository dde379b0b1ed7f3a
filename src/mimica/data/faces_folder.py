"""Faces cut out of videos into a folder to train on: two folders of pictures a clip, and a table of what each is.

    about.json          what this is, with which settings it was cut, what the columns of the tables say
    clips/NAME-0/faces  the faces of person 0 of the source NAME as numbered pictures; beside them in `scene` the
                        frames that they were cut from
    clips.csv           a row a clip, to train on as table:clips.csv
    faces.csv           a row a source: how many frames, persons and clips, and where there is no clip, why
    mimica.jsonl        what is done, so that the same call again does only what is missing

Whatever has its name there is whole.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from mimica import __version__
from mimica.data.clipset import ABOUT_FILE
from mimica.data.faces_labels import Label, Labels
from mimica.data.faces_people import FACES, SCENE, Followed, Person, chosen, cut_out, follow
from mimica.data.faces_record import Outcome, Record
from mimica.data.faces_settings import FacesSettings
from mimica.data.faces_tables import COLUMNS, REPORT, REPORTED, TABLE, write_tables, written
from mimica.data.own_folder import refuse_foreign, writing
from mimica.data.whole import whole
from mimica.errors import InputError, MimicaError, UsageError, unforeseen
from mimica.faces.detect import Detector, load_detector
from mimica.faces.mtcnn import smallest
from mimica.video.read import Video
from mimica.video.sources import is_camera, key, resolve, stamp

_log = logging.getLogger(__name__)

CLIPS = "clips"

_BY = "mimica data faces"

Progress = Callable[[str, float, float | None, str], None]
"""Told the source, the seconds done, the seconds in all where they are known, and what is being done."""


class _Unwritable(InputError):
    """The folder is at fault, not the source."""


def write_faces(
    out: Path,
    sources: Sequence[str],
    settings: FacesSettings,
    *,
    labels: Labels | None = None,
    device: str = "cpu",
    detector: Detector | None = None,
    again: bool = False,
    progress: Progress = lambda source, at, of, doing: None,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Cut the faces of every source into a folder, as the top of this file lists it; give the outcome of each.

    Sources are files, folders and patterns as `mimica predict` takes them. What is done already is skipped unless
    `again`; what fails costs only itself. The tables are written at the end, also after `stopped` has answered True.
    `detector` takes the place of MTCNN on `device`. Raises UsageError for a camera and where the folder holds
    something else, InputError where it cannot be written to or the labels are wrong.
    """
    if any(is_camera(source) for source in sources):
        raise UsageError("faces are cut out of what has an end: record the camera into a file first")
    _refuse(out, settings)
    record = Record(out)
    found = list(_outside(resolve(sources), out))
    names = record.named([source for source, error in found if not error])
    given = _given(labels or Labels(), list(names))
    done = {} if again else {source: outcome for source in names if (outcome := record.done(source))}
    work = _Work(
        out=out, settings=settings, record=record, names=names, sources=len(names) - len(done), progress=progress,
        stopped=stopped, finder=_Finder(settings, device, detector) if len(done) < len(names) else None,
    )  # fmt: skip
    with writing(out, _Unwritable):
        _begin(out, settings)
    for source, error in found:
        if stopped():
            break
        yield done[source] if source in done else work(source, error)
    with writing(out, _Unwritable):
        write_tables(out, record, given)


def _outside(found: Iterator[tuple[str, str]], out: Path) -> Iterator[tuple[str, str]]:
    """Without what was cut into this folder: a wide pattern finds that too."""
    ours = (out / CLIPS).resolve()
    passed = left = 0
    for source, error in found:
        inside = not error and Path(source).resolve().is_relative_to(ours)
        passed, left = passed + inside, left + (not inside)
        if not inside:
            yield source, error
    if passed and not left:
        raise InputError(f"there is nothing to read but what was cut into {out}")


def _given(labels: Labels, sources: Sequence[str]) -> dict[str, Label]:
    """The labels by what the record knows sources by; says what is labelled and not among them."""
    given, strangers = labels.of(sources)
    if strangers:
        _log.warning("%s: %d rows name none of these sources, such as %s", labels.file, len(strangers), strangers[0])
    return {key(source): label for source, label in given.items()}


class _Finder:
    """Chooses the detector for a source.

    It finds what `mimica predict` would, so that a face smaller than asked for is known to be there; or smaller
    faces, where those are asked for.
    """

    def __init__(self, settings: FacesSettings, device: str, detector: Detector | None) -> None:
        self.least = settings.min_face or 0.0
        self.usual = detector or load_detector(device=device)
        self.small = detector or (load_detector(min_face=self.least, device=device) if self.least else self.usual)

    def __call__(self, video: Video) -> Detector:
        return self.small if self.least < smallest(video.info.height, video.info.width) else self.usual


@dataclass(slots=True, kw_only=True)
class _Work:
    """Cuts one source after the other; `sources` is how many there are to cut, `begun` how many it began."""

    out: Path
    settings: FacesSettings
    record: Record
    names: Mapping[str, str]
    sources: int
    finder: _Finder | None
    progress: Progress
    stopped: Callable[[], bool]
    begun: int = 0

    def __call__(self, source: str, error: str) -> Outcome:
        """Cut one source and remember how it went; an `error` that is known before is only remembered.

        Raises only where the folder cannot be written to.
        """
        outcome = Outcome(source=source, state="failed", error=error)
        then = "" if error else stamp(source)  # of before, so that what changes meanwhile is cut again
        if not error:
            self.begun += 1
            outcome = self._cut(source)
        if outcome.state != "stopped":
            with writing(self.out, _Unwritable):
                self.record.keep(outcome, self.names.get(source, ""), then)
        return outcome

    def _cut(self, source: str) -> Outcome:
        outcome = Outcome(source=source)
        try:
            self._write(outcome, self._followed(outcome))
        except _Unwritable:
            raise
        except MimicaError as error:
            named = source in str(error) or Path(source).name in str(error)
            outcome.state, outcome.error = "failed", str(error) if named else f"{source}: {error}"
        except Exception as error:
            outcome.state, outcome.error = "failed", unforeseen(source, error, "end other programs, or scale it down")
        if outcome.state != "failed" and self.stopped():
            outcome.state = "stopped"
        return outcome

    def _followed(self, outcome: Outcome) -> Followed:
        """Who is in a source; the outcome says so."""
        assert self.finder is not None
        followed = follow(
            outcome.source, self.finder, self.settings, progress=self._told(outcome.source, "finding faces"),
            stopped=self.stopped,
        )  # fmt: skip
        outcome.looked, outcome.persons, outcome.notes = followed.looked, len(followed.people), list(followed.notes)
        return followed

    def _write(self, outcome: Outcome, followed: Followed) -> None:
        """The clips of a source, all of them once all are whole; nothing if the work is stopped."""
        kept, left, outcome.why = chosen(followed, self.settings)
        outcome.left = dict(left)
        stem = self.names[outcome.source]
        folders = [self.out / CLIPS / f"{stem}-{person.track.person}" for person in kept]
        with writing(self.out, _Unwritable), _parts(folders) as parts:
            if kept and not self.stopped():
                progress = self._told(outcome.source, "cutting them out")
                cut_out(outcome.source, kept, parts, self.settings, progress=progress, stopped=self.stopped)
            if self.stopped():
                return
            for old in self.record.folders(outcome.source) | set(folders):
                shutil.rmtree(old, ignore_errors=True)
            for part, folder in zip(parts, folders, strict=True):
                part.replace(folder)
        rows = zip(folders, kept, strict=True)
        outcome.clips = [_row(folder.name, outcome.source, person, followed) for folder, person in rows]

    def _told(self, source: str, doing: str) -> Callable[[float, float | None], None]:
        doing = f"source {self.begun} of {self.sources}, {doing}"
        return lambda at, of: self.progress(source, at, of, doing)


@contextmanager
def _parts(folders: Sequence[Path]) -> Iterator[list[Path]]:
    """A hidden place beside each folder; whatever is left there afterwards is thrown away."""
    parts = [folder.with_name(f".{folder.name}.part") for folder in folders]
    try:
        yield parts
    finally:
        for part in parts:
            shutil.rmtree(part, ignore_errors=True)


def _row(clip: str, source: str, person: Person, followed: Followed) -> dict[str, Any]:
    """A clip's row in the table, but for its label and part."""
    times = person.track.times
    return {
        "path": f"{CLIPS}/{clip}/{FACES}",
        "scene": f"{CLIPS}/{clip}/{SCENE}",
        "group": source,
        "person": person.track.person,
        "start": round(float(times[0]), 3),
        "end": round(float(times[-1]), 3),
        "fps": "" if followed.fps is None else round(followed.fps, 3),
        "frames": len(times),
        "quality": round(person.quality, 3),
    }


def _refuse(out: Path, settings: FacesSettings) -> None:
    """Raise what is wrong if the folder holds something else, or faces that were cut in another way."""
    about = out / ABOUT_FILE
    if not about.exists():
        refuse_foreign(out, (TABLE, REPORT, CLIPS))
        return
    try:
        told = json.loads(about.read_text(encoding="utf-8"))
        if told["by"] != _BY:
            raise ValueError
        facts = dict(told["facts"])
    except (OSError, ValueError, KeyError, TypeError):
        raise UsageError(f"{about} is not what this command writes; choose another place with --out") from None
    asked = asdict(settings)
    facts = {"scene_mask_face": False, **facts}  # before there was a choice, nothing was said of it
    other = [f"{name} {facts.get(name)}, not {value}" for name, value in asked.items() if facts.get(name) != value]
    if other:
        raise UsageError(
            f"{out} holds faces cut with {'; '.join(other)}. Give the same settings again to go on with them, or "
            "choose another place with --out"
        )
    written(out)


def _begin(out: Path, settings: FacesSettings) -> None:
    """Say what the folder is going to hold, and throw away what a kill has left half done."""
    (out / CLIPS).mkdir(parents=True, exist_ok=True)
    for part in (out / CLIPS).glob(".*.part"):
        shutil.rmtree(part)
    if (out / ABOUT_FILE).exists():
        return
    about = {
        "what": "Faces found, followed and cut out of videos and photos, with the frames that they were cut from.",
        "by": _BY,
        "licence": "that of the sources: each picture shows whom its source shows",
        "mimica": __version__,
        "facts": asdict(settings),
        "columns": {TABLE: COLUMNS, REPORT: REPORTED},
    }
    with whole(out / ABOUT_FILE) as path:
        path.write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
