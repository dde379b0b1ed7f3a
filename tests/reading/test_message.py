"""What a language model is told is hedged, dated, and no longer told as present once it is stale."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from mimica.clips import Reading
from mimica.reading.events import Closed, Opened
from mimica.reading.message import CAVEAT, Message, sentence, state


def reading(person: int | None = 1, end: float = 10.0, status: str = "ok", label: str | None = "happiness") -> Reading:
    seen = status != "no_face"
    return Reading(
        source="camera", person=person, start=end - 2, end=end, label=label if seen else None,
        confidence=0.83 if seen else None, status=status,  # type: ignore[arg-type]
        probabilities={"happiness": 0.83, "surprise": 0.12, "fear": 0.05} if seen else {},
    )  # fmt: skip


@pytest.mark.parametrize(
    ("status", "label", "now", "said"),
    [
        ("ok", "happiness", 11.2, "Person 1 appears to show happiness (confidence 0.83, 1.2 s ago)."),
        ("ok", "neutral", 11.2, "Person 1 appears neutral (confidence 0.83, 1.2 s ago)."),
        ("unsure", "happiness", 10.5, "Person 1: no clear expression (0.5 s ago)."),
        ("low_quality", "happiness", 10.5, "Person 1: face seen too poorly to read (0.5 s ago)."),
        ("ok", "happiness", 18.0,
         "Person 1 last appeared to show happiness (confidence 0.83, 8.0 s ago) and may look different now."),
        ("no_face", None, 10.0, "No face is in view; person 1: face not in view (0.0 s ago)."),
    ],
)  # fmt: skip
def test_each_status_and_age_has_its_own_hedge(status: str, label: str | None, now: float, said: str) -> None:
    assert sentence([reading(status=status, label=label)], now=now) == f"{said} {CAVEAT}"


def test_two_persons_share_one_sentence() -> None:
    said = sentence([reading(2, status="unsure"), reading(1)], now=11.0)
    assert said.startswith("Person 1 appears to show happiness (confidence 0.83, 1.0 s ago); person 2: no clear")


@pytest.mark.parametrize("status", ["unsure", "low_quality"])
def test_a_label_that_is_not_to_be_relied_on_is_not_said(status: str) -> None:
    assert "happiness" not in sentence([reading(status=status)], now=10.0)


def test_only_the_latest_reading_of_a_person_counts_in_any_order() -> None:
    late, early = reading(end=12.0, label="fear"), reading(end=10.0)
    assert state([late, early], now=12.0) == state([late], now=12.0)


def test_state_is_json_with_runner_up_age_and_staleness() -> None:
    told = json.loads(json.dumps(state([reading()], now=11.25)))
    assert told["persons"] == [{
        "person": 1, "label": "happiness", "confidence": 0.83, "status": "ok", "age": 1.2,
        "runner_up": {"label": "surprise", "probability": 0.12}, "stale": False,
    }]  # fmt: skip
    assert told["face_in_view"] is True


@pytest.mark.parametrize(("now", "stale_after", "stale"), [(14.9, 5, False), (15.1, 5, True), (11.5, 1, True)])
def test_a_reading_goes_stale(now: float, stale_after: float, stale: bool) -> None:
    assert state([reading()], now=now, stale_after=stale_after)["persons"][0]["stale"] is stale


def test_a_time_without_faces_makes_earlier_readings_stale() -> None:
    readings = [reading(end=10.0), reading(None, end=11.0, status="no_face")]
    assert state(readings, now=11.5)["persons"][0]["stale"] is True
    assert sentence(readings, now=11.5).startswith("No face is in view; person 1 last appeared to show happiness")


def test_before_any_reading_it_says_so_and_not_that_no_face_is_there() -> None:
    assert Message().sentence(0.0) == f"Nothing has been read yet. {CAVEAT}"
    assert Message().state(0.0)["face_in_view"] is None


def test_a_message_follows_the_stream_and_starts_afresh_with_a_new_source() -> None:
    opened = Opened(source="a", kind="video", width=1, height=1, rate=None, duration=None, labels=("happiness",))
    message = Message(stale_after=2.0)
    for event in (opened, reading(end=4.0), reading(end=5.0, label="fear"), Closed(frames=1, read=1, last_time=5.0)):
        message.append(event)
    assert message.state(6.0)["persons"][0]["label"] == "fear"
    assert "last appeared to show fear" in message.sentence(8.0)
    message.append(opened)
    assert message.state(8.0)["persons"] == []


def test_every_message_says_that_it_may_be_wrong() -> None:
    assert "may be wrong" in sentence([], now=0.0)
    assert state([], now=0.0)["caveat"] == CAVEAT


def viewed(**other: Any) -> Reading:
    views = {"face": {"happiness": 0.2, "fear": 0.8}, "scene": {"happiness": 0.9, "fear": 0.1}}
    return replace(reading(**other), views=views)


def test_where_the_scene_changes_the_answer_it_says_what_the_face_alone_shows() -> None:
    said = sentence([viewed(end=10.0)], now=11.2)
    assert said.startswith("Person 1 appears to show happiness (confidence 0.83, 1.2 s ago; fear by the face alone). ")
    assert state([viewed()], now=11.2)["persons"][0]["by_face_alone"] == "fear"


def test_where_the_scene_changes_nothing_no_word_is_said_of_it() -> None:
    assert sentence([viewed(label="fear")], now=11.2) == sentence([reading(label="fear")], now=11.2)
    assert state([viewed(label="fear")], now=11.2)["persons"][0]["by_face_alone"] is None
    assert "alone" not in sentence([viewed(status="unsure")], now=11.2)
