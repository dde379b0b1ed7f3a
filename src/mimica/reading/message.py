"""What a language model, or a robot, is told: the latest reading of each person, hedged, and no longer once stale.

Times are seconds of the source's own clock; `now` is where that clock stands. A reading's age
counts from the end of its window.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from mimica.clips import Reading
from mimica.reading.events import Event, Opened

STALE_AFTER = 5.0
"""Seconds after which a reading is told as past."""

CAVEAT = "Apparent expression only; it may be wrong and says nothing certain about feelings."
"""The sentence that ends every message."""


def state(readings: Iterable[Reading], *, now: float, stale_after: float = STALE_AFTER) -> dict[str, Any]:
    """The latest reading of each person as a record for JSON.

    `persons` has one record each: `person`, `label`, `confidence`, `status`, `age` in seconds,
    `runner_up` (the second class and its probability, or None) and `stale`: older than
    `stale_after` seconds, or followed by a time in which no face was seen; of a model that reads the
    scene too, `by_face_alone` (the class that the face alone shows where the scene changes the answer,
    or None). `face_in_view` is None as long as there is no reading at all.

    >>> happy = Reading(source="a.mp4", person=1, start=0.0, end=2.0, label="happiness", confidence=0.83)
    >>> state([happy], now=3.2)["persons"][0]["age"]
    1.2
    """
    latest = _latest(readings)
    nothing_yet = not latest
    nobody = latest.pop(None, None)
    empty_at = float("-inf") if nobody is None else nobody.end
    in_view = any(r.end >= empty_at and r.status != "no_face" for r in latest.values())
    return {
        "now": round(float(now), 3),
        "face_in_view": None if nothing_yet else in_view,
        "persons": [
            _person(reading, now=now, stale=now - reading.end > stale_after or empty_at > reading.end)
            for _, reading in sorted(latest.items(), key=lambda item: item[0] or 0)
        ],
        "caveat": CAVEAT,
    }


def sentence(readings: Iterable[Reading], *, now: float, stale_after: float = STALE_AFTER) -> str:
    """The latest reading of each person in a short English sentence, hedged, with confidence and age.

    >>> happy = Reading(source="a.mp4", person=1, start=0.0, end=2.0, label="happiness", confidence=0.83)
    >>> print(sentence([happy], now=3.2).partition(". ")[0])
    Person 1 appears to show happiness (confidence 0.83, 1.2 s ago)
    """
    told = state(readings, now=now, stale_after=stale_after)
    parts = [_clause(person) for person in told["persons"]]
    if told["face_in_view"] is None:
        parts.insert(0, "nothing has been read yet")
    elif not told["face_in_view"]:
        parts.insert(0, "no face is in view")
    text = "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}. {CAVEAT}"


class Message:
    """Follows a source and always knows the latest reading of each person.

    Memory: one reading a person.
    """

    def __init__(self, *, stale_after: float = STALE_AFTER) -> None:
        self.stale_after = stale_after
        self._latest: dict[int | None, Reading] = {}

    def append(self, event: Event) -> None:
        """Take the next event; a new source starts afresh."""
        if isinstance(event, Opened):
            self._latest.clear()
        elif isinstance(event, Reading):
            self._latest = _latest([*self._latest.values(), event])

    def state(self, now: float) -> dict[str, Any]:
        """What is known at a time in seconds, as `state` gives it."""
        return state(self._latest.values(), now=now, stale_after=self.stale_after)

    def sentence(self, now: float) -> str:
        """What is known at a time in seconds, as `sentence` says it."""
        return sentence(self._latest.values(), now=now, stale_after=self.stale_after)


def _latest(readings: Iterable[Reading]) -> dict[int | None, Reading]:
    latest: dict[int | None, Reading] = {}
    for reading in readings:
        if reading.person not in latest or reading.end >= latest[reading.person].end:
            latest[reading.person] = reading
    return latest


def _person(reading: Reading, *, now: float, stale: bool) -> dict[str, Any]:
    others = [(float(p), label) for label, p in reading.probabilities.items() if label != reading.label]
    second = max(others, default=None)
    return {
        "person": reading.person,
        "label": reading.label,
        "confidence": None if reading.confidence is None else round(float(reading.confidence), 3),
        "status": reading.status,
        "age": round(max(0.0, float(now) - reading.end), 1),
        "runner_up": second and {"label": second[1], "probability": round(second[0], 3)},
        "stale": stale,
        **({"by_face_alone": reading.by_face_alone} if "face" in reading.views else {}),
    }


def _clause(person: dict[str, Any]) -> str:
    who, age = f"person {person['person']}", f"{person['age']:.1f} s ago"
    if person["status"] == "no_face":
        return f"{who}: face not in view ({age})"
    if person["status"] == "low_quality":
        return f"{who}: face seen too poorly to read ({age})"
    if person["status"] == "unsure" or person["label"] is None:
        return f"{who}: no clear expression ({age})"
    shown = "neutral" if person["label"] == "neutral" else f"to show {person['label']}"
    alone = person.get("by_face_alone")
    facts = f"confidence {person['confidence']:.2f}, {age}{f'; {alone} by the face alone' if alone else ''}"
    if person["stale"]:
        return f"{who} last appeared {shown} ({facts}) and may look different now"
    return f"{who} appears {shown} ({facts})"
