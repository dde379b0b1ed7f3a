"""Train the tiny generator: its codec, then the flow in the codec's latents; each goes on where it was stopped.

    codec/              state and log of the first phase
    codec.safetensors   the codec, once it is learned
    flow/               state and log of the second phase
    tiny.safetensors    the generator, once it is whole

B clips, T frames, A units, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol

import torch

from mimica import __version__, checkpoint
from mimica.errors import CheckpointError, UsageError
from mimica.generation.diffusion.codec import Codec
from mimica.generation.diffusion.filmed import Filmed
from mimica.generation.diffusion.learn import CodecLearner, FlowLearner
from mimica.generation.diffusion.practice import Practice
from mimica.generation.diffusion.settings import TinyTraining
from mimica.generation.diffusion.tiny import Tiny, TinyConfig
from mimica.training.loop import Data, LoopConfig, Report, train
from mimica.training.processes import processes

TINY, CODEC = "tiny.safetensors", "codec.safetensors"
_SAMPLE = 4
"""Batches of which the spread of latents is taken."""


class Told(Protocol):
    """Who is told of each row of a phase."""

    def __call__(self, phase: str, row: Mapping[str, Any]) -> None:
        """A row of `training.loop.train`, of the phase codec or flow."""
        ...


def train_tiny(
    settings: TinyTraining,
    *,
    out: Path,
    data: str | None = None,
    start: Path | None = None,
    config: TinyConfig | None = None,
    resume: bool = False,
    report: Callable[[str], Report] = lambda phase: lambda row: None,
) -> Path:
    """Train a tiny generator; gives the path of `out/tiny.safetensors`.

    Without `data` actors of the part train are drawn anew for each epoch; with it, `table:FILE`, clips of its part
    train are learned from whose unit curves are in the table. `start` is a generator whose codec and weights are
    begun with: only the flow learns on. `report` gives who is told the rows of the phases `codec` and `flow`. Raises
    UsageError for data without unit curves, CheckpointError where a state was made with other settings.
    """
    if processes().number > 1:
        raise UsageError("the tiny generator is trained in one process; start it without a launcher")
    torch.manual_seed(settings.seed)
    policy = Tiny(config) if start is None else Tiny.load(start)
    made = {"data": data or "actors drawn anew", "config": policy.config.facts(), "start": _digest(start)}
    if start is None:
        _first(policy, _data(settings, data, policy, codec=True), settings, made, out=out, resume=resume, report=report)
    learner = FlowLearner(policy, drop=settings.drop)
    told = {**made, "codec": _digest(out / CODEC) if start is None else None, "drop": settings.drop}
    flow = _loop(settings, epochs=settings.epochs, lr=settings.lr)
    train(
        learner, _data(settings, data, policy), flow, out=out / "flow", resume=resume, facts=told | _drawing(settings),
        report=report("flow"),
    )  # fmt: skip
    path = out / TINY
    policy.network.eval()
    policy.save(path, {"mimica": __version__, "trained": settings.facts(), "data": made["data"], "synthetic": True})
    return path


def _first(
    policy: Tiny, data: Data, settings: TinyTraining, made: Mapping[str, Any],
    *, out: Path, resume: bool, report: Callable[[str], Report],
) -> None:  # fmt: skip
    """The codec, learned or, where a resumed run had it already, read."""
    path, stated = out / CODEC, {"learned": {**_drawing(settings), "epochs": settings.codec_epochs}, **made}
    if resume and path.exists():
        tensors, facts = checkpoint.load(path)
        if facts["settings"] != _plain(stated):
            raise CheckpointError(
                f"{path} was made with other settings; choose another --out or begin without --resume"
            )
        checkpoint.fill(policy.codec, tensors, str(path))
        return
    learner = CodecLearner(policy.codec.requires_grad_(True))
    how = _loop(settings, epochs=settings.codec_epochs, lr=settings.codec_lr)
    train(
        learner,
        data,
        how,
        out=out / "codec",
        resume=resume,
        facts={**made, **_drawing(settings)},
        report=report("codec"),
    )
    policy.codec.eval().requires_grad_(False)
    measure_spread(policy.codec, data)
    checkpoint.save(path, policy.codec.state_dict(), {"kind": "codec", "settings": _plain(stated)})


@torch.no_grad()
def measure_spread(codec: Codec, data: Data) -> None:
    """Set the spread of a codec's latents to their deviation from zero over some clips, frame 0 left out."""
    codec.spread.fill_(1.0)
    found = []
    for number, batch in enumerate(data.batches(0)):
        if number == _SAMPLE:
            break
        clips = batch["face"].float() / 255
        still = clips[:, :1].expand_as(clips[:, 1:]).flatten(0, 1)
        found.append(codec.encode(still, clips[:, 1:].flatten(0, 1)))
    codec.spread.copy_(torch.cat(found).square().mean((0, 2, 3)).sqrt().clamp(min=1e-3))


def _data(settings: TinyTraining, data: str | None, policy: Tiny, *, codec: bool = False) -> Data:
    size = policy.config.codec.size
    frames = settings.frames[:1] if codec else settings.frames
    how: dict[str, Any] = {"fresh": settings.fresh, "again": settings.again, "batch": settings.batch, "frames": frames}
    seed = 2 * settings.seed + codec  # the codec and the flow learn from other faces
    if data is None:
        return Practice(**how, size=size, seed=seed)
    return Filmed.read(data, **how, size=size, units=policy.config.units, seed=seed)


def _loop(settings: TinyTraining, *, epochs: int, lr: float) -> LoopConfig:
    return LoopConfig(
        epochs=epochs, batch=settings.batch, lr=lr, weight_decay=1e-4, warmup=min(0.5, 0.05 * epochs), ema=settings.ema,
        precision=settings.precision, seed=settings.seed, save_every=settings.save_every, ahead=0,
    )  # fmt: skip


def _drawing(settings: TinyTraining) -> dict[str, Any]:
    return {name: getattr(settings, name) for name in ("fresh", "again", "frames", "batch", "seed")}


def _plain(stated: Mapping[str, Any]) -> Any:
    import json

    return json.loads(json.dumps(stated))


def _digest(path: Path | None) -> str | None:
    return None if path is None else str(checkpoint.read_facts(path)["sha256"])
