"""Train the tiny generator: its codec is fitted, then its rig learns, then the flow; it goes on where it was stopped.

    codec.safetensors   the codec, which is fitted in closed form
    rig/, flow/         state and log of the two phases
    rig.safetensors     the generator when its rig is learned
    tiny.safetensors    the generator when it is whole

B clips, T frames, S side in pixels.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch

from mimica import __version__, checkpoint
from mimica.errors import UsageError
from mimica.generation.diffusion.codec import Codec
from mimica.generation.diffusion.filmed import Filmed
from mimica.generation.diffusion.learn import FlowLearner, RigLearner
from mimica.generation.diffusion.practice import Practice
from mimica.generation.diffusion.settings import TinyTraining
from mimica.generation.diffusion.tiny import Tiny, TinyConfig
from mimica.training.loop import Batch, Data, LoopConfig, Report, train
from mimica.training.processes import processes

TINY, CODEC, RIG = "tiny.safetensors", "codec.safetensors", "rig.safetensors"
Phase = Literal["rig", "flow"]
_FITTED = 96
"""Of how many clips the codec is fitted."""
_EVERY = 3
"""In every how many epochs of the flow other clips are learned from, where there are any."""
_MORE = 4
"""How many times as many clips an epoch and a batch of the rig have: a stance is three pictures."""


def train_tiny(
    settings: TinyTraining,
    *,
    out: Path,
    data: str | None = None,
    also: str | None = None,
    start: Path | None = None,
    config: TinyConfig | None = None,
    resume: bool = False,
    report: Callable[[str], Report] = lambda phase: lambda row: None,
) -> Path:
    """Train a tiny generator; gives the path of `out/tiny.safetensors`.

    Without `data` actors of the part train are drawn anew for each epoch; with it, `table:FILE`, clips of its part
    train are learned from whose unit curves are in the table. In every third epoch of the flow those of `also`, such as
    renders, are learned from in their place. `start` is a generator whose codec and weights are
    begun with: only the flow learns on. `report` gives who is told the rows of the phases `rig` and `flow`. Raises
    UsageError for data without unit curves, CheckpointError where a state was made with other settings.
    """
    if processes().number > 1:
        raise UsageError("the tiny generator is trained in one process; start it without a launcher")
    torch.manual_seed(settings.seed)
    policy = Tiny(config) if start is None else Tiny.load(start)
    began = {"data": data or "actors drawn anew", "start": None if start is None else _digest(start)}
    if also is not None:
        began["also"] = also
    seen = _Seen(settings, data, also, policy)
    if start is None:
        _fitted(policy.codec, seen, out / CODEC, began, resume=resume)
        _run("rig", policy, seen, out=out, resume=resume, report=report("rig"), facts=began)
        policy.save(out / RIG, began)
    _run("flow", policy, seen, out=out, resume=resume, report=report("flow"), facts=began)
    policy.network.eval()
    path = out / TINY
    policy.save(path, {"mimica": __version__, "trained": settings.facts(), "synthetic": data is None, **began})
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class InTurn:
    """The batches of `first`, and in every third epoch those of `also`, which has as many."""

    first: Practice | Filmed
    also: Filmed

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return self.first.steps

    @property
    def batch(self) -> int:
        """How many clips a batch of the first has."""
        return self.first.batch

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Those of an epoch, from `first` on."""
        of = self.also if epoch % _EVERY == _EVERY - 1 else self.first
        return of.batches(epoch, first)


class _Seen:
    """What is learned from in each phase; the phases see other people."""

    def __init__(self, settings: TinyTraining, data: str | None, also: str | None, policy: Tiny) -> None:
        self.settings, self.codec = settings, policy.codec
        self._filmed, self._also = (None if spec is None else self._read(spec, policy) for spec in (data, also))

    def _read(self, spec: str, policy: Tiny) -> Filmed:
        how = self.settings
        return Filmed.read(
            spec, codec=policy.codec, units=policy.config.units, fresh=how.fresh, again=how.again, batch=how.batch,
            frames=how.frames, seed=how.seed,
        )  # fmt: skip

    def phase(self, phase: Phase) -> Practice | Filmed | InTurn:
        """The clips of a phase."""
        seed = 3 * self.settings.seed + (phase == "flow")
        found = self._drawn(phase, seed) if self._filmed is None else replace(self._filmed, seed=seed)
        if self._also is None or phase == "rig":
            return found
        return InTurn(first=found, also=replace(self._also, seed=seed))

    def _drawn(self, phase: Phase, seed: int) -> Practice:
        how, more = self.settings, _MORE if phase == "rig" else 1
        return Practice(
            codec=self.codec, fresh=more * how.fresh, again=how.again, batch=more * how.batch, frames=how.frames,
            seed=seed, stances=phase == "rig",
        )  # fmt: skip

    def some(self) -> torch.Tensor:
        """A few clips [N, T, 3, S, S] in 0 to 1 to fit the codec to."""
        number = min(_FITTED, self.settings.fresh)
        if self._filmed is not None:
            found = self._filmed.some(_FITTED)
        else:
            seen, T = Practice(codec=self.codec, seed=3 * self.settings.seed + 2), min(self.settings.frames)
            found = torch.cat([seen.pictures(np.arange(i, i + 1), T)[1] for i in range(number)])
        return found if self._also is None else torch.cat([found, self._also.some(number // _EVERY)])


def _fitted(codec: Codec, seen: _Seen, path: Path, began: Mapping[str, Any], *, resume: bool) -> None:
    """Fit the codec, or read it where a run that is resumed has fitted it with the same settings."""
    stated = json.loads(json.dumps({**began, **seen.settings.facts()}))
    if resume and path.exists() and checkpoint.read_facts(path).get("settings") == stated:
        checkpoint.fill(codec, checkpoint.load(path)[0], str(path))
        return
    clips = seen.some()
    codec.fit(clips[:, :1].expand_as(clips[:, 1:]).flatten(0, 1), clips[:, 1:].flatten(0, 1))
    checkpoint.save(path, codec.state_dict(), {"kind": "codec", "settings": stated})


def _run(
    phase: Phase, policy: Tiny, seen: _Seen, *, out: Path, resume: bool, report: Report, facts: Mapping[str, Any]
) -> None:
    settings, data = seen.settings, seen.phase(phase)
    learner = RigLearner(policy) if phase == "rig" else FlowLearner(policy, drop=settings.drop)
    epochs = settings.rig_epochs if phase == "rig" else settings.epochs
    loop = LoopConfig(
        epochs=epochs, batch=data.batch, lr=settings.lr * (2 if phase == "rig" else 1), weight_decay=1e-4,
        warmup=min(0.5, 0.05 * epochs), ema=settings.ema, precision=settings.precision, seed=settings.seed,
        save_every=settings.save_every, ahead=0,
    )  # fmt: skip
    same = {**facts, "config": policy.config.facts(), "codec": policy.codec_digest(), "drop": settings.drop}
    how = data.first if isinstance(data, InTurn) else data
    same |= {name: getattr(how, name) for name in ("fresh", "again", "frames")}
    train(learner, cast("Data", data), loop, out=out / phase, resume=resume, facts=same, report=report)


def _digest(path: Path) -> str:
    return str(checkpoint.read_facts(path)["sha256"])
