"""Plans in words: by a vision-language model where a server is named, verified, else by the template.

The model is told what the plan has and is asked for words alone; units, strengths, frames and numbers stay the plan's.
A prompt that does not pass `verify` is asked for again with what was wrong; after that the template writes it, and
that is said and counted.
"""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mimica.errors import InputError, MimicaError, ServerError
from mimica.facs import EVERY_UNIT, letter
from mimica.generation.alignment import Alignment
from mimica.generation.knowledge import KnowledgeBase
from mimica.generation.plan import Plan
from mimica.generation.retrieval import Retrieved, Retriever
from mimica.generation.server import Server
from mimica.generation.settings import TOKENS, PromptSettings
from mimica.generation.template import REGIONS, SPANS, Prompt, Span, from_template, named_spans
from mimica.generation.texts import text_encoder
from mimica.generation.verify import Verdict, verify

_LOG = logging.getLogger("mimica")

_TEXT = {"type": "string"}
_FIELDS = ("subject", "summary", "head", "gaze", "scene", "negative")


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object", "properties": dict(properties), "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


_SPAN = _object({
    "name": {"type": "string", "enum": [*SPANS, "rest"]}, "regions": _object(dict.fromkeys(REGIONS, _TEXT)),
})  # fmt: skip
SCHEMA = _object({
    "subject": _TEXT, "summary": _TEXT, "spans": {"type": "array", "items": _SPAN, "minItems": 1, "maxItems": 3},
    "head": _TEXT, "gaze": _TEXT, "scene": _TEXT, "negative": _TEXT,
})  # fmt: skip
"""What the model's answer is made of. It has no numbers: frames are the plan's."""

INSTRUCTIONS = (
    "You write prompts for a generator that turns a still face into a short clip. You are given a plan: which "
    "movements of the face the clip shows, how strong, and in which parts. Put it into plain words, a few short "
    "phrases for each region of the face in each part; leave a region empty in which nothing moves. Say every planned"
    " movement at the apex, and no other. Name no expression but that of the plan. Call who is seen 'the same person "
    "as in the first frame' and say nothing of age, race, gender or looks. Write no numbers and no Action Unit "
    "numbers. Head, gaze and scene stay as they are unless the plan says otherwise. Answer with JSON of the given "
    "form and nothing else."
)
"""What the model is told before every plan."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A prompt and how it came about: how often it was asked for again, and why the template wrote it, if it had to.

    `answers` is how many came and `passed` how many of them passed; `kept` says that it lay in the cache.
    """

    prompt: Prompt
    retries: int = 0
    answers: int = 0
    passed: int = 0
    kept: bool = False
    fallback: str = ""
    cards: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """How many prompts came about how: shares of answers that passed and of plans that the template had to write."""

    plans: int
    answers: int
    passed: int
    retries: int
    kept: int
    fallbacks: int
    embedding: str

    @property
    def accept_rate(self) -> float | None:
        """The share of answers that passed; None where none was asked for."""
        return self.passed / self.answers if self.answers else None

    @property
    def fallback_rate(self) -> float | None:
        """The share of plans that the template had to write though a model was asked; None without plans."""
        return self.fallbacks / self.plans if self.plans else None


@dataclass(frozen=True, slots=True)
class _Best:
    """The best of the answers to one question, or what was wrong with the nearest of them."""

    prompt: Prompt | None = None
    wrong: tuple[str, ...] = ()
    answers: int = 0
    passed: int = 0


@dataclass(slots=True)
class Writer:
    """Writes prompts for plans of one knowledge base. `image` is a picture of the face that the clip begins with."""

    known: Alignment
    base: KnowledgeBase
    settings: PromptSettings
    image: Path | None = None
    without: str = ""
    _server: Server | None = field(default=None, init=False)
    _retriever: Retriever | None = field(default=None, init=False)
    _down: str = field(default="", init=False)
    _picture: tuple[str, str] = field(default=("", ""), init=False)

    def __post_init__(self) -> None:
        if self.image is not None:
            self._picture = _read(self.image)
        if self.settings.server:
            self._server = Server(self.settings)
            encoder = text_encoder([card.text for card in self.base.cards])
            self._retriever = Retriever(self.base, self.known, encoder)

    def __call__(self, plan: Plan) -> Written:
        """The prompt of a plan. Raises ServerError where the server fails and the settings say to stop."""
        if self._server is None or self._retriever is None:
            return Written(prompt=self._template(plan))
        if kept := self._kept(plan):
            return Written(prompt=kept, kept=True)
        if self._down:
            return Written(prompt=self._template(plan), fallback=self._down)
        found = self._retriever(plan, without=self.without)
        try:
            return self._asked(plan, found, self._server)
        except ServerError as error:
            if self.settings.on_failure == "stop":
                raise
            self._down = str(error)
            _LOG.warning("%s. The template writes this prompt and all that follow.", self._down)
            return Written(prompt=self._template(plan), fallback=self._down, cards=_names(found))

    def _template(self, plan: Plan) -> Prompt:
        return from_template(plan, tokens_at_most=TOKENS[self.settings.backend], core=self.known.core(plan.label))

    def _asked(self, plan: Plan, found: Retrieved, server: Server) -> Written:
        messages = messages_for(plan, found, picture=self._picture[1])
        answers = passed = 0
        best = _Best()
        for attempt in range(self.settings.retries + 1):
            best = self._sampled(plan, messages, server, attempt)
            answers, passed = answers + best.answers, passed + best.passed
            if best.prompt is not None:
                self._keep(plan, best.prompt)
                return Written(prompt=best.prompt, retries=attempt, answers=answers, passed=passed, cards=_names(found))
            messages = [*messages, {"role": "user", "content": f"That will not do: {'; '.join(best.wrong)}. Again."}]
        why = f"no answer passed: {'; '.join(best.wrong)}"
        _LOG.warning("%s: %s. The template writes this prompt.", plan.name, why)
        return Written(
            prompt=self._template(plan), retries=self.settings.retries, answers=answers, passed=passed, fallback=why,
            cards=_names(found),
        )  # fmt: skip

    def _sampled(self, plan: Plan, messages: Sequence[Mapping[str, Any]], server: Server, attempt: int) -> _Best:
        """The best of some answers: of those that pass the one nearest to the plan, the first of equal ones."""
        good: list[tuple[float, Prompt]] = []
        bad: list[tuple[float, tuple[str, ...]]] = []
        for sample in range(self.settings.samples):
            answer = server.ask(messages, SCHEMA, seed=attempt * self.settings.samples + sample)
            if answer.refusal:
                bad.append((-1.0, (f"the model refuses: {answer.refusal[:200]}",)))
                continue
            try:
                prompt = read_answer(answer.text, plan, writer=str(self.settings.language_model))
            except ValueError as error:
                bad.append((-1.0, (str(error),)))
                continue
            verdict = self._verdict(prompt, plan)
            if verdict.passed:
                good.append((verdict.jaccard, prompt))
            else:
                bad.append((verdict.jaccard, verdict.wrong))
        return _Best(
            prompt=max(good, key=lambda one: one[0])[1] if good else None,
            wrong=() if good else max(bad, key=lambda one: one[0])[1], answers=len(good) + len(bad), passed=len(good),
        )  # fmt: skip

    def _verdict(self, prompt: Prompt, plan: Plan) -> Verdict:
        return verify(prompt, plan, self.known, tokens_at_most=TOKENS[self.settings.backend])

    def key(self, plan: Plan) -> str:
        """What an answer depends on, as a digest: image, plan, knowledge, model, schema, and what the model is told."""
        parts = [
            self._picture[0], plan.facts(), self.base.sha256, self.settings.language_model, SCHEMA, INSTRUCTIONS,
            TOKENS[self.settings.backend], self.without,
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def _kept(self, plan: Plan) -> Prompt | None:
        """The prompt that passed before, if it lies in the cache and still passes."""
        if self.settings.cache is None:
            return None
        try:
            prompt = Prompt.from_facts(json.loads((self.settings.cache / f"{self.key(plan)}.json").read_text("utf-8")))
        except (OSError, ValueError, MimicaError):
            return None
        return prompt if self._verdict(prompt, plan).passed else None

    def _keep(self, plan: Plan, prompt: Prompt) -> None:
        if self.settings.cache is not None:
            from mimica.generation.write import put

            put(self.settings.cache / f"{self.key(plan)}.json", json.dumps(prompt.facts(), indent=1) + "\n")

    def report(self, written: Sequence[Written]) -> Report:
        """How prompts of this writer came about."""
        return Report(
            plans=len(written), answers=sum(one.answers for one in written), passed=sum(one.passed for one in written),
            retries=sum(one.retries for one in written), kept=sum(one.kept for one in written),
            fallbacks=sum(bool(one.fallback) for one in written),
            embedding=self._retriever.encoder.name if self._retriever else "none",
        )  # fmt: skip


def _names(found: Retrieved) -> tuple[str, ...]:
    return tuple(card.id for card in (*found.cards, *found.exemplars))


def _read(image: Path) -> tuple[str, str]:
    """The digest of a picture's file, and the picture as a data address of at most 512 pixels a side."""
    import io

    from PIL import Image, UnidentifiedImageError

    try:
        data = image.read_bytes()
        picture = Image.open(io.BytesIO(data)).convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        reason = getattr(error, "strerror", None) or "it is no picture"
        raise InputError(f"cannot read the picture {image}: {reason}; give a PNG or JPEG") from None
    picture.thumbnail((512, 512))
    small = io.BytesIO()
    picture.save(small, "PNG")
    return hashlib.sha256(data).hexdigest(), "data:image/png;base64," + base64.b64encode(small.getvalue()).decode()


def messages_for(plan: Plan, found: Retrieved, *, picture: str = "") -> list[dict[str, Any]]:
    """What the model is told of a plan, in the form of the chat interface."""
    text = f"{described(plan)}\n\nWhat is known:\n" + "\n".join(f"- {card.text}" for card in found.cards)
    if found.exemplars:
        different = dict.fromkeys(card.text for card in found.exemplars)
        text += "\n\nClips like it:\n" + "\n".join(f"- {told}" for told in different)
    content: list[dict[str, Any]] = [{"type": "text", "text": text}]
    if picture:
        content.append({"type": "image_url", "image_url": {"url": picture}})
    return [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": content}]


def described(plan: Plan) -> str:
    """A plan as a model reads it: the expression, its movements with the letters of FACS, the parts of the clip."""
    moves = [
        f"- {EVERY_UNIT[unit].look} ({EVERY_UNIT[unit].region}; intensity {letter(strength) or 'A'} of A to E)"
        for unit, strength in sorted(plan.strengths.items())
    ]
    parts = ", ".join(f"{name} (frames {first} to {last})" for name, (first, last) in named_spans(plan))
    listed = "\n".join(moves) or "- none: the face stays at rest"
    return f"Expression: {plan.label}\nMovements at the apex:\n{listed}\nParts, in this order: {parts}"


def read_answer(text: str, plan: Plan, *, writer: str) -> Prompt:
    """The prompt of a model's answer, with the frames of the plan. Raises ValueError that says what is malformed."""
    fenced = re.fullmatch(r"\s*```(?:json)?\s*(.*?)\s*```\s*", text, re.DOTALL)
    try:
        stated = json.loads(fenced[1] if fenced else text)
    except ValueError:
        raise ValueError("the answer is no JSON") from None
    if not isinstance(stated, dict) or not all(isinstance(stated.get(name), str) for name in _FIELDS):
        raise ValueError(f"the answer is JSON of another form; it needs the texts {', '.join(_FIELDS)}, and spans")
    spans, parts = stated.get("spans"), named_spans(plan)
    names = [one.get("name") if isinstance(one, dict) else None for one in spans] if isinstance(spans, list) else []
    if names != [name for name, _ in parts]:
        raise ValueError(f"the answer must have the spans {', '.join(name for name, _ in parts)}, in this order")
    read = []
    for one, (name, frames) in zip(stated["spans"], parts, strict=True):
        regions = one.get("regions")
        if not isinstance(regions, dict) or not all(isinstance(said, str) for said in regions.values()):
            raise ValueError(f"the regions of {name} must be texts")
        told: dict[str, str] = {where: regions[where].strip() for where in REGIONS if regions.get(where, "").strip()}
        read.append(Span(name=name, frames=frames, regions=told))
    return Prompt(
        plan=plan.name, label=plan.label, spans=tuple(read), writer=writer,
        **{name: " ".join(stated[name].split()) for name in _FIELDS},
    )  # fmt: skip
