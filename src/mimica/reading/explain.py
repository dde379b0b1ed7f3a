"""What a window's reading came of: how much each frame counts, and how much each class text is drawn on.

T frames, S side in pixels, C classes, N heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from mimica.clips import Clip, Reading, Status
from mimica.errors import InputError, UsageError
from mimica.reading.events import Closed, Opened, Seen
from mimica.reading.reader import Reader
from mimica.recognition.model import Explains, Recogniser
from mimica.video.sources import is_camera, resolve

_MOST_LISTED = 8
_TOUCH = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What a recogniser made of one clip of one person.

    `faces` uint8 [T, S, S, 3] at `times` [T] seconds have the pooling weights `frames` [T], which sum to 1.
    `classes` [N, C] are the semantic weights, each head's sum to 1, or None where the model has no
    semantic attention. `probabilities` [C] are calibrated; `texts` holds the sentences of each class that
    the model read, in the order of `labels`. `chosen` says in words how the person and the window were
    come by, `warnings` what is wrong with the source.
    """

    model: str
    temperature: float
    person: int
    start: float
    end: float
    faces: np.ndarray
    times: np.ndarray
    frames: np.ndarray
    classes: np.ndarray | None
    probabilities: np.ndarray
    labels: tuple[str, ...]
    texts: tuple[tuple[str, ...], ...]
    status: Status = "ok"
    source: str = ""
    chosen: str = ""
    warnings: tuple[str, ...] = ()

    @property
    def shown(self) -> int:
        """The place of the class that is shown most."""
        return int(self.probabilities.argmax())

    @property
    def heading(self) -> str:
        """Who was read, when, and as what, in one line.

        A photo has one moment; a window from its first frame to its end.
        """
        when = f"{self.start:.2f} s" if self.start == self.end else f"{self.start:.2f} to {self.end:.2f} s"
        doubt = "" if self.status == "ok" else f" ({self.status.replace('_', ' ')})"
        read = f"read as {self.labels[self.shown]}, {100 * self.probabilities[self.shown]:.0f} %{doubt}"
        return " · ".join([*([Path(self.source).name] if self.source else []), f"person {self.person}", when, read])


def explain(recogniser: Recogniser, clip: Clip) -> Explanation:
    """What a recogniser made of a clip. Raises UsageError for one whose network cannot tell."""
    network = _explaining(recogniser)
    with torch.inference_mode():
        found = network.explained(recogniser.batch([clip]))
    alone = recogniser.facts.get("config", {}).get("texts", "first") == "first"
    return Explanation(
        model=recogniser.name,
        temperature=recogniser.temperature,
        person=clip.person,
        start=clip.start,
        end=clip.end,
        faces=clip.faces,
        times=clip.times,
        frames=_array(found.frames[0]),
        classes=None if found.classes is None else _array(found.classes[0]),
        probabilities=recogniser.probabilities([clip])[0],
        labels=recogniser.space.names,
        texts=tuple(described[:1] if alone else described for described in recogniser.space.descriptions),
    )


def explain_source(
    reader: Reader,
    source: str | Path,
    *,
    person: int | None = None,
    at: float | None = None,
    progress: Callable[[float, float | None], None] = lambda seconds, of: None,
) -> Explanation:
    """What one window of a source was read from: by default the surest one of the person followed longest.

    `at` asks for the window whose middle is nearest to a time in seconds, among those that it lies in; the
    person is then the one followed longest of those who have such a window. `progress` is told the seconds
    read so far, and those in all where they are known. Raises UsageError for a person or a time that is not
    there, and for a model that cannot tell; InputError for a source that cannot be read or shows no face.
    """
    _explaining(reader.recogniser)
    people: dict[int, _Followed] = {}
    duration: float | None = None
    warnings: tuple[str, ...] = ()

    def follow(clip: Clip, reading: Reading) -> None:
        people.setdefault(clip.person, _Followed()).add(clip, reading, at)

    for event in reader.read(source, clips=follow):
        if isinstance(event, Opened):
            duration = event.duration
        elif isinstance(event, Seen):
            progress(event.frame.time, duration)
        elif isinstance(event, Closed):
            warnings = event.warnings
    who = _who(people, source, person, at)
    followed = people[who]
    assert followed.best is not None
    clip, reading = followed.best
    return replace(
        explain(reader.recogniser, clip), end=reading.end, status=reading.status, source=str(source),
        chosen=f"{_whose(who, people, asked=person is not None)}; {_which(followed.windows, at)}", warnings=warnings,
    )  # fmt: skip


def one_source(asked: str) -> str:
    """The one video, photo or folder of frames that is meant; `asset:NAME` is a file of that asset.

    Raises InputError where nothing is there or more than one is meant, UsageError for a camera.
    """
    if is_camera(asked):
        raise UsageError(f"{asked} has no end; record it with mimica predict --format mp4 and explain that file")
    found = list(resolve([asked]))
    for _, error in found:
        if error:
            raise InputError(error)
    if len(found) > 1:
        named = ", ".join(Path(source).name for source, _ in found[:_MOST_LISTED])
        more = ", …" if len(found) > _MOST_LISTED else ""
        raise InputError(f"{asked} holds {len(found)} videos or pictures; name one of {named}{more}")
    return found[0][0]


@dataclass(slots=True)
class _Followed:
    """One person so far: for how long, in which spans of time, and the best clip with its reading."""

    seconds: float = 0.0
    windows: int = 0
    spans: list[tuple[float, float]] = field(default_factory=list)
    best: tuple[Clip, Reading] | None = None
    rank: float = -np.inf

    def add(self, clip: Clip, reading: Reading, at: float | None) -> None:
        """Take the next window."""
        self.seconds += reading.end - reading.start
        self.windows += 1
        if self.spans and reading.start <= self.spans[-1][1] + _TOUCH:
            start, end = self.spans.pop()
            self.spans.append((start, max(end, reading.end)))
        else:
            self.spans.append((reading.start, reading.end))
        rank = -abs(reading.middle - at) if at is not None else float(reading.confidence or 0)
        within = at is None or reading.start - _TOUCH <= at <= reading.end + _TOUCH
        if within and rank > self.rank:
            self.best, self.rank = (clip, reading), rank

    def __str__(self) -> str:
        more = ", …" if len(self.spans) > _MOST_LISTED else ""
        told = (f"{start:.1f} to {end:.1f} s" if end > start else f"{start:.1f} s" for start, end in self.spans)
        return ", ".join(islice(told, _MOST_LISTED)) + more


def _explaining(recogniser: Recogniser) -> Explains:
    if isinstance(recogniser.network, Explains):
        return recogniser.network
    raise UsageError(
        f"{recogniser.name} cannot be explained: its network does not tell what it weighs; choose a DuSE, such as "
        f"duse-compact"
    )


def _who(people: dict[int, _Followed], source: str | Path, person: int | None, at: float | None) -> int:
    """The person to explain, who has a window at the time asked for."""
    if not people:
        raise InputError(f"{source} shows no face; if its pictures are cut out to the face already, add --faces none")
    if person is not None and person not in people:
        raise UsageError(f"there is no person {person} in {source}; choose from {_listed(people)}")
    there = {who: followed for who, followed in people.items() if followed.best and person in (None, who)}
    if not there:
        asked = people if person is None else {person: people[person]}
        raise UsageError(f"no face is read at {at:g} s of {source}; choose a time of {_listed(asked)}")
    return _longest(there)


def _longest(people: dict[int, _Followed]) -> int:
    # Moments count a little too, so that of a photo's people it is the one with most windows, or the first.
    return max(people, key=lambda who: people[who].seconds + 1e-9 * people[who].windows)


def _whose(who: int, people: dict[int, _Followed], *, asked: bool) -> str:
    if len(people) == 1:
        return "the only person"
    if asked:
        return f"one of {len(people)} people"
    if not people[who].seconds:
        return f"the first of {len(people)} people in a photo"
    return f"the person followed longest of {len(people) if who == _longest(people) else 'those seen then'}"


def _which(windows: int, at: float | None) -> str:
    if windows == 1:
        return "the only window"
    return f"the surest of {windows} windows" if at is None else f"of {windows} windows, the one around {at:g} s"


def _listed(people: dict[int, _Followed]) -> str:
    named = [f"person {who} ({followed})" for who, followed in sorted(people.items())[:_MOST_LISTED]]
    more = [f"{len(people) - _MOST_LISTED} more"] if len(people) > _MOST_LISTED else []
    return ", ".join([*named, *more])


def _array(values: torch.Tensor) -> np.ndarray:
    return values.float().cpu().numpy().astype(np.float64)
