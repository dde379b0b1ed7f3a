from __future__ import annotations

import json
import logging
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from drawn import photo, picture
from mimica import assets
from mimica.errors import InputError, ServerError, UsageError
from mimica.generation.knowledge import build
from mimica.generation.lexicon import demographics
from mimica.generation.plan import Plan, plan
from mimica.generation.prompts import INSTRUCTIONS, SCHEMA, Writer, described, messages_for, read_answer
from mimica.generation.retrieval import Retrieved
from mimica.generation.settings import PromptSettings
from mimica.generation.template import WRITER, from_template
from posed import aligned_with, posed
from scripted import Reply, Scripted, serving, well

CLIPS = posed(28)
KNOWN = aligned_with(CLIPS)
BASE = build(KNOWN, CLIPS)
PLAN = plan(KNOWN, "disgust", 1)
OTHER = plan(KNOWN, "fear", 1)


@pytest.fixture(autouse=True)
def _words_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test depends on whether MiniLM is on this machine, nor on a proxy."""
    monkeypatch.setattr(assets, "check", lambda name: "missing")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def writer(server: Scripted, image: Path | None = None, **how: object) -> Writer:
    settings = PromptSettings(server=server.url, language_model="m", **({"samples": 1} | how))  # type: ignore[arg-type]
    return Writer(KNOWN, BASE, settings, image=image)


def always(text: str) -> Callable[[int], Reply]:
    return lambda number: Reply(text=text)


def test_without_a_server_the_template_writes_and_nothing_is_counted_as_a_fallback() -> None:
    writes = Writer(KNOWN, BASE, PromptSettings())
    written = writes(PLAN)
    assert written.prompt == from_template(PLAN)
    report = writes.report([written])
    assert (report.fallbacks, report.answers, report.accept_rate) == (0, 0, None)


def test_an_answer_that_passes_is_the_prompt_with_the_plans_frames() -> None:
    with serving(always(well(PLAN, scene="a plain room"))) as server:
        written = writer(server)(PLAN)
    assert (written.prompt.writer, written.prompt.scene) == ("m", "a plain room")
    assert [span.frames for span in written.prompt.spans] == list(PLAN.spans())
    assert (written.retries, written.answers, written.passed, written.fallback) == (0, 1, 1, "")


def test_the_model_is_told_the_plan_the_cards_and_clips_like_it_and_is_held_to_the_schema() -> None:
    with serving(always(well(PLAN))) as server:
        written = writer(server)(PLAN)
    (asked,) = server.asked
    system, user = asked["messages"]
    text = user["content"][0]["text"]
    assert system["content"] == INSTRUCTIONS
    assert described(PLAN) in text
    assert "the nose is wrinkled (nose; intensity" in text
    assert all(card.text in text for card in BASE.cards if card.id in written.cards)
    assert sum(name.startswith("exemplar:") for name in written.cards) == 4
    assert asked["response_format"]["json_schema"]["schema"] == SCHEMA
    assert asked["response_format"]["json_schema"]["strict"] is True
    assert len(user["content"]) == 1, "no picture was given"


def test_clips_that_read_alike_are_told_once() -> None:
    card = next(card for card in BASE.cards if card.kind == "exemplar")
    found = Retrieved(exemplars=(card, card), scores=(1.0, 0.9), cards=())
    assert messages_for(PLAN, found)[1]["content"][0]["text"].count(card.text) == 1


def test_the_picture_of_the_face_goes_along(tmp_path: Path) -> None:
    photo(tmp_path / "face.png", picture({"a": (20, 20)}))
    with serving(always(well(PLAN))) as server:
        writer(server, tmp_path / "face.png")(PLAN)
    assert server.asked[0]["messages"][1]["content"][1]["image_url"]["url"].startswith("data:image/png;base64,")


def test_a_picture_that_is_none_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "face.png").write_text("no picture")
    with pytest.raises(InputError, match=r"cannot read the picture .* it is no picture"):
        Writer(KNOWN, BASE, PromptSettings(), image=tmp_path / "face.png")


def test_of_several_answers_the_nearest_to_the_plan_is_taken() -> None:
    worse = json.loads(well(PLAN))
    worse["spans"][1]["regions"]["eye"] = "the lips press together"
    near = well(PLAN, scene="near")
    with serving(lambda number: Reply(text=[json.dumps(worse), near, "{}"][number])) as server:
        written = writer(server, samples=3)(PLAN)
    assert written.prompt.scene == "near"
    assert (written.answers, written.passed, written.retries) == (3, 2, 0)
    assert [asked["seed"] for asked in server.asked] == [0, 1, 2]


BAD = {
    "malformed JSON": (Reply(text='{"subject": "the'), "no JSON"),
    "JSON of another form": (Reply(text='{"subject": 3}'), "JSON of another form"),
    "a list": (Reply(text="[1]"), "JSON of another form"),
    "no spans": (Reply(text=json.dumps({**json.loads(well(PLAN)), "spans": []})), "must have the spans onset, apex"),
    "another expression": (Reply(text=well(OTHER)), "it does not say that the nose is wrinkled"),
    "a gender": (Reply(text=well(PLAN, subject="a young woman")), "age, race or gender someone is: woman"),
    "a number": (Reply(text=well(PLAN, gaze="30 degrees to the left")), "gives numbers"),
    "a refusal": (Reply(refusal="I cannot describe faces"), "refuses: I cannot describe faces"),
    "a filter": (Reply(finish="content_filter"), "refuses: its filter"),
    "nothing": (Reply(), "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_is_asked_for_again_with_what_was_wrong(name: str) -> None:
    bad, said = BAD[name]
    with serving(lambda number: bad if number == 0 else Reply(text=well(PLAN))) as server:
        written = writer(server)(PLAN)
    assert (written.retries, written.answers, written.passed, written.fallback) == (1, 2, 1, "")
    assert said in server.asked[1]["messages"][-1]["content"]
    assert len(server.asked[0]["messages"]) == 2


@pytest.mark.parametrize("name", BAD)
def test_after_two_retries_the_template_writes_and_says_why(name: str, caplog: pytest.LogCaptureFixture) -> None:
    bad, said = BAD[name]
    with serving(lambda number: bad) as server, caplog.at_level(logging.WARNING, "mimica"):
        writes = writer(server)
        written = writes(PLAN)
    assert len(server.asked) == 3
    assert written.prompt.writer == WRITER
    assert said in written.fallback
    assert said in caplog.text
    report = writes.report([written])
    assert (report.accept_rate, report.retries, report.fallback_rate) == (0.0, 2, 1.0)


def test_an_answer_in_a_fence_is_read() -> None:
    assert read_answer(f"```json\n{well(PLAN)}\n```", PLAN, writer="m").writer == "m"


def closed() -> Scripted:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return Scripted(url=f"http://127.0.0.1:{free.getsockname()[1]}/v1")


BROKEN = {
    "refused key": (Reply(status=401), "refuses the key; put one that it takes into MIMICA_SERVER_KEY"),
    "no model": (Reply(status=404), "has no model 'm'"),
    "crash": (Reply(status=500), "answers with the error 500: .*scripted 500"),
    "busy": (Reply(status=429), "answers with the error 429"),
    "another kind": (Reply(body="[]"), "not as an OpenAI-compatible server does"),
    "a page": (Reply(body="<html>"), "not as an OpenAI-compatible server does"),
    "no choice": (Reply(body='{"choices": []}'), "not as an OpenAI-compatible server does"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_server_that_fails_is_one_sentence_and_stops(name: str) -> None:
    reply, said = BROKEN[name]
    with serving(lambda number: reply) as server, pytest.raises(ServerError, match=said):
        writer(server)(PLAN)
    assert len(server.asked) == 1, "the client does not ask the same again"


def test_a_server_that_is_down_is_one_sentence_and_stops() -> None:
    with pytest.raises(ServerError, match=r"127\.0\.0\.1:\d+/v1 is out of reach; start it or mend --server"):
        writer(closed())(PLAN)


def test_a_server_that_is_too_slow_is_one_sentence_and_stops() -> None:
    said = r"did not answer within 0\.2 s; give it longer with --timeout"
    with serving(lambda number: Reply(text=well(PLAN), wait=1.5)) as server, pytest.raises(ServerError, match=said):
        writer(server, timeout=0.2)(PLAN)


def test_where_it_is_asked_to_the_template_goes_on_with_a_notice_and_the_server_is_let_be(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with serving(lambda number: Reply(status=500)) as server, caplog.at_level(logging.WARNING, "mimica"):
        writes = writer(server, on_failure="template")
        written = [writes(PLAN), writes(OTHER)]
    assert len(server.asked) == 1
    assert [one.prompt.writer for one in written] == [WRITER, WRITER]
    assert all("the error 500" in one.fallback for one in written)
    assert caplog.text.count("The template writes this prompt and all that follow") == 1
    assert writes.report(written).fallback_rate == 1.0


def test_what_passed_is_not_asked_for_again(tmp_path: Path) -> None:
    with serving(always(well(PLAN))) as server:
        first = writer(server, cache=tmp_path)(PLAN)
        again = writer(server, cache=tmp_path)(PLAN)
    assert len(server.asked) == 1
    assert again.kept
    assert again.prompt == first.prompt


def test_a_fallback_is_not_kept(tmp_path: Path) -> None:
    with serving(lambda number: Reply(text=well(PLAN) if number >= 3 else "")) as server:
        assert writer(server, cache=tmp_path)(PLAN).fallback
        assert not writer(server, cache=tmp_path)(PLAN).fallback


def test_what_was_altered_in_the_cache_is_asked_for_again(tmp_path: Path) -> None:
    with serving(always(well(PLAN))) as server:
        writer(server, cache=tmp_path)(PLAN)
        (kept,) = tmp_path.glob("*.json")
        kept.write_text(kept.read_text().replace("nose", "knee"))
        assert not writer(server, cache=tmp_path)(PLAN).kept
    assert len(server.asked) == 2


def test_the_key_of_the_cache_depends_on_all_that_an_answer_depends_on(tmp_path: Path) -> None:
    photo(tmp_path / "face.png", picture({"a": (20, 20)}))

    def key(plan: Plan = PLAN, model: str = "m", image: Path | None = None, base: object = BASE, **how: object) -> str:
        settings = PromptSettings(server="http://127.0.0.1:9/v1", language_model=model, **how)  # type: ignore[arg-type]
        return Writer(KNOWN, base, settings, image=image).key(plan)  # type: ignore[arg-type]

    assert key() == key(timeout=5)
    others = [key(OTHER), key(model="n"), key(image=tmp_path / "face.png"), key(base=build(KNOWN)), key(backend="ltx")]
    assert len({key(), *others}) == 6


def test_the_key_of_the_server_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIMICA_SERVER_KEY", "secret")
    with serving(always(well(PLAN))) as server:
        writer(server)(PLAN)
    assert server.keys == ["Bearer secret"]


def test_the_model_is_told_nothing_of_age_race_or_gender() -> None:
    told = INSTRUCTIONS.replace("age, race, gender or looks", "")
    assert demographics(told + described(PLAN) + " ".join(card.text for card in BASE.cards)) == []


@pytest.mark.parametrize(
    "how", [{"server": "http://x"}, {"language_model": "m"}, {"samples": 0}, {"retries": 3}, {"timeout": 0}]
)
def test_settings_that_do_not_fit_are_refused(how: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        PromptSettings(**how)  # type: ignore[arg-type]
