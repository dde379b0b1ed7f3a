"""Clips as the loop makes them: planned, put into words, generated from a still, inspected, kept or not, recorded.

    clips/fear-0003/frame_0000.png …  the frames, without loss: what is learned from
    clips/fear-0003.mp4               the same to look at, four times enlarged
    clips/fear-0003.json              where it comes from, what was measured of it, why it is not kept if it is not

B clips, T frames, S side in pixels, A units, C classes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica.data.pictures import digest_of_folder, read_frames, save_frames
from mimica.errors import InputError, UsageError
from mimica.facs import PRIOR_CORES
from mimica.generation.diffusion.policy import Policy
from mimica.generation.filter import Verdict, filtered
from mimica.generation.inspection import Inspected, Inspector
from mimica.generation.knowledge import hidden
from mimica.generation.ladder import FPS, SYNTHETIC, enlarged, film
from mimica.generation.loop_settings import FilterSettings
from mimica.generation.plan import Plan, plan
from mimica.generation.pool import Pool, Still, frames_of, targets_from
from mimica.generation.prompts import Writer, Written
from mimica.generation.provenance import Provenance, judged, read_provenance
from mimica.generation.sampling import random_at, sample
from mimica.generation.settings import GuidanceSettings, PlanSettings, SamplingSettings
from mimica.generation.targets import Targets

CLIPS = "clips"
_ENLARGED = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A clip to be made: its class, its number within the class, and the round that asks for it."""

    label: str
    number: int
    round: int = 0

    @property
    def name(self) -> str:
        """What its files are called."""
        return f"{self.label.replace(' ', '-')}-{self.number:04d}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A clip that was made: its record, what units were planned and measured [T, A], and how it looks."""

    wanted: Wanted
    record: Provenance
    planned: np.ndarray
    measured: np.ndarray
    frames: np.ndarray


@dataclass(frozen=True, slots=True, kw_only=True)
class Maker:
    """Makes clips for a pool with a generator, and has them inspected.

    `state` names the generator, as `Policy.state` gives it. With `aligned` False plans are of FACS's prototypes alone,
    all units at full strength: what plans are without knowledge of the data.
    """

    out: Path
    pool: Pool
    policy: Policy
    state: dict[str, Any]
    inspector: Inspector
    writer: Writer
    sampling: SamplingSettings
    guidance: GuidanceSettings
    filter: FilterSettings
    frames: int
    seed: int
    aligned: bool = True

    def __call__(self, wanted: Sequence[Wanted]) -> list[Made]:
        """These clips, those made that are not there yet. Raises UsageError where memory is short."""
        lacking = [one for one in wanted if not self._there(one)]
        if lacking:
            self._make(lacking)
        return [self._read(one) for one in wanted]

    def folder(self, wanted: Wanted) -> Path:
        """Where the frames of a clip lie."""
        return self.out / CLIPS / wanted.name

    def planned(self, wanted: Wanted) -> Plan:
        """The plan of a clip."""
        settings = PlanSettings(frames=self.frames, fps=FPS, seed=self.seed)
        found = plan(self.pool.known, wanted.label, wanted.number, settings=settings)
        return found if self.aligned else prototype(found)

    def _there(self, wanted: Wanted) -> bool:
        folder = self.folder(wanted)
        record = folder.with_suffix(".json")
        return record.is_file() and read_provenance(record).sha256 == digest_of_folder(folder)

    def _read(self, wanted: Wanted) -> Made:
        folder = self.folder(wanted)
        there = read_provenance(folder.with_suffix(".json"))
        (record,) = judged([there], self.pool.train.space.names, self.filter)
        if record != there:  # whoever judged it by other bounds was stopped before all was
            record.write(folder.with_suffix(".json"))
        measured = np.array(record.measured, dtype=float)
        planned = Plan.from_facts(record.plan).curves()
        return Made(wanted=wanted, record=record, planned=planned, measured=measured, frames=read_frames(folder))

    def _make(self, wanted: Sequence[Wanted]) -> None:
        began = time.monotonic()
        plans = [self.planned(one) for one in wanted]
        stills = [self.pool.still(one.label, one.number, self.seed) for one in wanted]
        words = [self.writer(one) for one in plans]
        targets = targets_from(self.pool, plans, stills, [one.prompt.text() for one in words])
        clips, inspected = self._inspected(targets, wanted)
        verdicts = filtered(inspected.seen, self.filter)
        seconds = (time.monotonic() - began) / len(wanted)
        frames = frames_of(clips)
        for i, one in enumerate(wanted):
            self._put(one, frames[i])
            record = self._record(one, plans[i], words[i], stills[i], inspected, verdicts[i], i)
            replace(record, seconds=round(seconds, 3)).write(self.folder(one).with_suffix(".json"))

    def _put(self, wanted: Wanted, frames: np.ndarray) -> None:
        """Write a clip's frames uint8 [T, S, S, 3], and the same to look at. Raises InputError for a full disk."""
        folder = self.folder(wanted)
        try:
            save_frames(folder, frames, SYNTHETIC)
            film(folder.with_suffix(".mp4"), enlarged(frames, _ENLARGED if self.policy.name == "tiny" else 1))
        except OSError as error:
            why = f"cannot write {folder}: {error.strerror or error}"
        except UsageError as error:  # of a video
            why = str(error)
        else:
            return
        raise InputError(
            f"{why}; make room, or choose another place with --out; clips that are finished are kept, and the same "
            "command goes on from there"
        )

    def _inspected(self, targets: Targets, wanted: Sequence[Wanted]) -> tuple[Tensor, Inspected]:
        """Clips [B, T, 3, S, S] for these targets, and what is measured of them."""
        try:
            clips = self._generated(targets, wanted)
            return clips, self.inspector(clips, targets)
        except (MemoryError, RuntimeError) as error:  # PyTorch tells of a CPU's memory by RuntimeError alone
            if type(error) is RuntimeError and "memory" not in str(error):
                raise
            fewer = f"--batch {len(wanted) // 2}" if len(wanted) > 1 else "--batch 1, of fewer --frames"
            raise UsageError(
                f"{len(wanted)} clips of {self.frames} frames need more memory than there is; make fewer at once, "
                f"{fewer}; clips that are finished are kept"
            ) from None

    def _generated(self, targets: Targets, wanted: Sequence[Wanted]) -> Tensor:
        with torch.no_grad():
            condition = self.policy.condition(
                targets.images, curves=targets.curves, prompts=targets.prompts, frames=self.frames
            )
            each = [self.policy.noise(condition.take(torch.tensor([i])), self._chance(one))
                    for i, one in enumerate(wanted)]  # fmt: skip
            clips = sample(self.policy, condition, torch.cat(each), sampling=self.sampling, guidance=self.guidance)
        return clips.float().clamp(0, 1).cpu()

    def _chance(self, wanted: Wanted) -> torch.Generator:
        """Noise that is a function of the clip, so that it does not matter which are made together."""
        return random_at(self.seed, wanted.number, *wanted.label.encode())

    def _record(
        self, wanted: Wanted, planned: Plan, words: Written, still: Still, inspected: Inspected, verdict: Verdict,
        i: int,
    ) -> Provenance:  # fmt: skip
        exemplars = [card for card in self.pool.base.cards if card.kind == "exemplar" and card.id in words.cards]
        made_of = [self.pool.named(still.place), *(card.id.removeprefix("exemplar:") for card in exemplars)]
        return Provenance(
            clip=f"{CLIPS}/{wanted.name}", sha256=digest_of_folder(self.folder(wanted)), label=wanted.label,
            soft_label=tuple(round(share, 6) for share in verdict.label), still_sha256=still.sha256, still_part="train",
            person=hidden(still.person), exemplars=tuple(card.subject for card in exemplars), made_from=tuple(made_of),
            plan=planned.facts(), prompt=words.prompt.facts(), generator=self.state,
            sampling=asdict(self.sampling) | {"guidance": asdict(self.guidance)}, seed=self.seed,
            scores={name: _rounded(value[i]) for name, value in inspected.scores.items()},
            measured=tuple(tuple(_rounded(v) for v in row) for row in inspected.units[i]),
            probabilities=tuple(round(float(p), 6) for p in inspected.seen.probabilities[i]),
            passed=bool(inspected.seen.passed[i]), steps=self.sampling.steps,
            kept=verdict.kept, reasons=verdict.reasons, round=wanted.round,
        )  # fmt: skip


def prototype(planned: Plan) -> Plan:
    """A plan without knowledge of the data: the core of the class by FACS alone, each unit as far as it goes."""
    core = PRIOR_CORES.get(planned.label, ())
    moves = planned.motions
    if not core or not moves:
        return planned
    usual = next(iter(moves.values()))
    return replace(planned, strengths=dict.fromkeys(core, 1.0), motions={unit: moves.get(unit, usual) for unit in core})


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), 4)
