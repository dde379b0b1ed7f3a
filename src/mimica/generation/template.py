"""Prompts that a template writes from a plan: always to be had, the same for the same plan, and true to it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from mimica.errors import InputError
from mimica.facs import EVERY_UNIT, Region, letter
from mimica.generation.plan import Plan

SPANS = ("onset", "apex", "offset")
"""The parts of a clip that shows an expression; one that stays at rest has one part, `rest`."""
REGIONS: tuple[Region, ...] = ("brow", "eye", "cheek", "nose", "mouth", "jaw")
"""Where in the face something is said to happen."""
WRITER = "template"
"""Who wrote a prompt that no language model wrote."""

_LEADS = {"onset": "from rest,", "apex": "then", "offset": "in the end"}
_SUBJECT = "the same person as in the first frame"
_HEAD, _GAZE = "the head keeps still", "the gaze stays on the camera"
_SCENE = "light, background and framing stay as they are"
_NEGATIVE = "another face, changed identity, distorted face, extra teeth, text, watermark, flicker, cut, zoom"
_HOW = {"A": "very slightly", "B": "slightly", "C": "clearly", "D": "strongly", "E": "as far as it goes"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A part of the clip: its name, its first and last frame, and what happens in each region of the face."""

    name: str
    frames: tuple[int, int]
    regions: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prompt:
    """What a generator is given of a plan, in words: by parts of the clip, by regions of the face.

    Frames are the plan's own, whoever wrote the words. `writer` is a language model or the template.
    """

    plan: str
    label: str
    subject: str
    summary: str
    spans: tuple[Span, ...]
    head: str
    gaze: str
    scene: str
    negative: str
    writer: str

    def text(self) -> str:
        """The whole as one paragraph: who is seen, then what happens in order, then head, gaze and scene."""
        said = [f"{_LEADS.get(span.name, '')} {_joined(span.regions.values())}" for span in self.spans]
        return " ".join(_sentence(part) for part in (self.subject, *said, self.head, self.gaze, self.scene) if part)

    def face(self) -> str:
        """What is said of the face alone, from which units are read."""
        return " ".join(_sentence(_joined(span.regions.values())) for span in self.spans)

    def facts(self) -> dict[str, Any]:
        """The prompt as JSON, with its text; see `from_facts`."""
        named = ("plan", "label", "subject", "summary", "head", "gaze", "scene", "negative", "writer")
        spans = [{"name": s.name, "frames": list(s.frames), "regions": dict(s.regions)} for s in self.spans]
        return {name: getattr(self, name) for name in named} | {"spans": spans, "text": self.text()}

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The prompt that JSON states. Raises InputError where it states none."""
        named = ("plan", "label", "subject", "summary", "head", "gaze", "scene", "negative", "writer")
        try:
            spans = tuple(
                Span(
                    name=str(one["name"]), frames=(int(one["frames"][0]), int(one["frames"][1])),
                    regions={str(where): str(what) for where, what in one["regions"].items()},
                )
                for one in stated["spans"]
            )  # fmt: skip
            return cls(spans=spans, **{name: str(stated[name]) for name in named})
        except (KeyError, TypeError, ValueError, AttributeError, IndexError):
            raise InputError("this is no prompt; mimica augment prompt writes them") from None


def named_spans(plan: Plan) -> list[tuple[str, tuple[int, int]]]:
    """The parts of a plan's clip by name, with first and last frame."""
    parts = plan.spans()
    return list(zip(SPANS if plan.strengths else ("rest",), parts, strict=False))


def from_template(plan: Plan, *, tokens_at_most: int = 512, core: Collection[int] = ()) -> Prompt:
    """The prompt that the template makes of a plan, of at most so many tokens.

    Where it would be longer, it says of the onset only that it comes; then it leaves how strong units are, head, gaze
    and scene to the generator; then it leaves out the weakest units that are not of the `core`.
    """
    for detail in (2, 1, 0):
        prompt = _rendered(plan, detail, sorted(plan.strengths))
        if tokens(prompt.text()) <= tokens_at_most:
            return prompt
    units = sorted(plan.strengths, key=lambda unit: (unit in core, plan.strengths[unit]))
    while tokens(prompt.text()) > tokens_at_most and len(units) > 1:
        prompt = _rendered(plan, 0, sorted(units := units[1:]))
    return prompt


def _rendered(plan: Plan, detail: int, units: Sequence[int]) -> Prompt:
    spans = []
    for name, frames in named_spans(plan):
        regions: dict[str, str] = {}
        if name == "rest":
            regions = {"mouth": "the whole face stays at rest and no part of it moves"}
        elif name == "apex":
            regions = _by_region(units, lambda unit: graded(unit, plan.strengths[unit] if detail else 0.0))
        elif name == "onset" and detail == 2:
            regions = _by_region(units, becoming)
        else:
            said = "the expression sets in smoothly" if name == "onset" else "the face eases back toward rest"
            regions = {"mouth": said}
        spans.append(Span(name=name, frames=frames, regions=regions))
    doing = "stays at rest" if not plan.strengths else f"goes from rest to an expression of {plan.label}"
    return Prompt(
        plan=plan.name, label=plan.label, subject=_SUBJECT, summary=f"a face {doing}", spans=tuple(spans),
        head=_HEAD if detail else "", gaze=_GAZE if detail else "", scene=_SCENE if detail else "", negative=_NEGATIVE,
        writer=WRITER,
    )  # fmt: skip


def _by_region(units: Sequence[int], said: Any) -> dict[str, str]:
    """What is said of each unit, by region, in the order of the face from above."""
    return {
        where: _joined(said(unit) for unit in units if EVERY_UNIT[unit].region == where)
        for where in REGIONS
        if any(EVERY_UNIT[unit].region == where for unit in units)
    }


def becoming(unit: int) -> str:
    """How a unit sets in, in words.

    >>> becoming(12)
    'the corners of the lips become pulled up'
    """
    look = EVERY_UNIT[unit].look
    return re.sub(r" (is|are) ", lambda verb: " becomes " if verb[1] == "is" else " become ", look, count=1)


def graded(unit: int, strength: float) -> str:
    """What one sees of a unit of this strength, in words; without a strength only what one sees.

    >>> graded(12, 0.75), graded(9, 1.0)
    ('the corners of the lips are strongly pulled up', 'the nose is wrinkled as far as it goes')
    """
    look, how = EVERY_UNIT[unit].look, _HOW.get(letter(strength), "")
    if how == _HOW["E"]:
        return f"{look} {how if ' is ' in look else 'as far as they go'}"
    return re.sub(r" (is|are) ", rf" \1 {how} ", look, count=1) if how else look


def tokens(text: str) -> int:
    """How many tokens a text encoder makes of a text, estimated a little high: four for three words or signs.

    >>> tokens("the nose is wrinkled")
    6
    """
    return -(-len(re.findall(r"\w+|[^\w\s]", text)) * 4 // 3)


def _joined(parts: Any) -> str:
    return ", ".join(part.strip().rstrip(".") for part in parts if part.strip())


def _sentence(text: str) -> str:
    text = text.strip().rstrip(".")
    return f"{text[:1].upper()}{text[1:]}."
