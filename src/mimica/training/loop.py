"""The training loop, to be read from top to bottom.

It rests on accelerate for precision and accumulation, in one process. Everything random is a
function of (seed, epoch, clip), and a run's state is saved whole at the end of each epoch, so that
a run that was killed goes on as if it had not been (in fp16 the scale of the loss is found anew).
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError, MissingExtra, UsageError

Batch = Mapping[str, Tensor]
Report = Callable[[Mapping[str, float | int | str]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How to train: epochs, batch, peak learning rate with linear warm-up (epochs) and cosine to zero.

    `ema` is the decay of the average of the weights that is kept and validated (0: none); `clip` the
    largest gradient norm; `accumulate` how many batches make a step; `precision` no, bf16 or fp16.
    """

    epochs: int
    batch: int
    lr: float
    weight_decay: float = 0.0
    warmup: float = 1.0
    clip: float = 1.0
    ema: float = 0.0
    accumulate: int = 1
    precision: str = "no"
    seed: int = 0


class Data(Protocol):
    """Batches of an epoch, as a function of the epoch alone; `steps` batches each."""

    steps: int

    def batches(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch, in order."""
        ...


class Learner(Protocol):
    """What is trained: a module whose forward takes a batch and gives `loss` and what else to report."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The loss, a scalar under the key `loss`, and further scalars to report."""
        ...


def learned(module: nn.Module) -> dict[str, Tensor]:
    """What training changes: weights that take a gradient, and the running statistics of norms."""
    trained = {name: p for name, p in module.named_parameters() if p.requires_grad}
    moving: dict[str, Tensor] = {}
    for name, part in module.named_modules():
        if isinstance(part, nn.modules.batchnorm._BatchNorm) and part.weight.requires_grad:
            moving |= {f"{name}.{key}": b for key, b in part.named_buffers() if key.startswith("running_")}
    return trained | moving


def rate(config: LoopConfig, step: int, steps: int) -> float:
    """The learning rate at a step: linear warm-up, then half a cosine down to zero."""
    warm = config.warmup * steps
    total = config.epochs * steps
    if step < warm:
        return config.lr * min(1.0, (step + 1) / warm)
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))


def train(
    learner: nn.Module,
    data: Data,
    config: LoopConfig,
    *,
    out: Path,
    resume: bool = False,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    report: Report = lambda row: None,
) -> None:
    """Train a learner in place; at the end it holds the averaged weights, if an average was asked for.

    Writes `out/metrics.jsonl`, one row an epoch, and `out/state.safetensors`. With `resume` an earlier
    run in `out` goes on from its last whole epoch. Raises CheckpointError if its settings or weights differ.
    """
    steps = data.steps // config.accumulate
    if steps == 0:
        raise UsageError(f"an epoch has {data.steps} batches, which is less than the {config.accumulate} to accumulate")
    torch.manual_seed(config.seed)
    accelerator = _accelerator(config)
    decayed = [p for p in learner.parameters() if p.requires_grad and p.ndim > 1]
    plain = [p for p in learner.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": config.weight_decay}, {"params": plain, "weight_decay": 0.0}]
    model, optimizer = accelerator.prepare(learner, torch.optim.AdamW(groups, lr=config.lr))
    raw = accelerator.unwrap_model(model)
    average = {name: t.detach().clone() for name, t in learned(raw).items()} if config.ema else None
    state = out / "state.safetensors"
    first = _restore(state, raw, optimizer, average, config) if resume and state.exists() else 0

    for epoch in range(first, config.epochs):
        began, step, seen = time.monotonic(), epoch * steps, 0
        sums: dict[str, float] = {}
        model.train()
        # Batches too few for a step of their own are left out, so that epochs do not run into each other.
        for batch in islice(data.batches(epoch), steps * config.accumulate):
            with accelerator.accumulate(model):
                told = model({key: value.to(accelerator.device) for key, value in batch.items()})
                accelerator.backward(told["loss"])
                if accelerator.sync_gradients:
                    accelerator.clip_grad_norm_(decayed + plain, config.clip)
                    for group in optimizer.param_groups:
                        group["lr"] = rate(config, step, steps)
                optimizer.step()
                optimizer.zero_grad()
                if accelerator.sync_gradients:
                    step += 1
                    _follow(average, raw, config.ema, step)
            seen += 1
            for key, value in told.items():
                sums[key] = sums.get(key, 0.0) + float(value.detach())
            report({"epoch": epoch, "step": seen, "steps": steps * config.accumulate, "loss": sums["loss"] / seen})
        row: dict[str, Any] = {"epoch": epoch, "step": step, **{key: value / seen for key, value in sums.items()}}
        with _averaged(raw, average):
            row |= dict(validate(raw)) if validate else {}
        row["seconds"] = round(time.monotonic() - began, 1)
        if accelerator.is_main_process:
            # In this order: what was logged but not saved is trained and logged again, never the other way round.
            _log(out / "metrics.jsonl", row)
            _save(state, raw, optimizer, average, config, epoch + 1)
        report(row)
    if average is not None:
        _copy(learned(raw), average)


def _accelerator(config: LoopConfig) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise MissingExtra("accelerate", "train") from None
    settings = {"mixed_precision": config.precision, "gradient_accumulation_steps": config.accumulate}
    try:
        return Accelerator(**settings)
    except ValueError:
        # It holds a process to the precision of its first run; ours may pretrain in bf16 and then train in fp32.
        AcceleratorState._reset_state()
        return Accelerator(**settings)


def _follow(average: dict[str, Tensor] | None, module: nn.Module, decay: float, step: int) -> None:
    """Move the average towards the weights; early on faster, so that it does not keep the random start."""
    if average is None:
        return
    keep = min(decay, (1 + step) / (10 + step))
    with torch.no_grad():
        for name, value in learned(module).items():
            average[name].lerp_(value.detach(), 1 - keep)


def _copy(to: Mapping[str, Tensor], source: Mapping[str, Tensor]) -> None:
    with torch.no_grad():
        for name, value in to.items():
            value.copy_(source[name])


class _averaged:  # noqa: N801 - reads as a phrase where it is used
    """While entered, a module holds the averaged weights and is in evaluation mode."""

    def __init__(self, module: nn.Module, average: dict[str, Tensor] | None) -> None:
        self.module, self.average = module, average

    def __enter__(self) -> None:
        self.kept = {name: value.detach().clone() for name, value in learned(self.module).items()}
        self.module.eval()
        if self.average is not None:
            _copy(learned(self.module), self.average)

    def __exit__(self, *_: object) -> None:
        _copy(learned(self.module), self.kept)


def _save(
    path: Path, module: nn.Module, optimizer: Any, average: dict[str, Tensor] | None, config: LoopConfig, epochs: int
) -> None:
    tensors = {f"weights.{name}": value for name, value in learned(module).items()}
    for number, entry in optimizer.state_dict()["state"].items():
        tensors |= {f"optimizer.{number}.{key}": torch.as_tensor(value) for key, value in entry.items()}
    tensors |= {f"average.{name}": value for name, value in (average or {}).items()}
    checkpoint.save(path, tensors, {"epochs": epochs, "loop": asdict(config)})


def _restore(
    path: Path, module: nn.Module, optimizer: Any, average: dict[str, Tensor] | None, config: LoopConfig
) -> int:
    tensors, facts = checkpoint.load(path)
    if facts["loop"] != asdict(config):
        changed = sorted(k for k, v in asdict(config).items() if facts["loop"].get(k) != v)
        raise CheckpointError(
            f"{path} was made with another {', '.join(changed)}; resume with the same or choose another --out"
        )
    weights = {name[8:]: t for name, t in tensors.items() if name.startswith("weights.")}
    if {n: t.shape for n, t in weights.items()} != {n: t.shape for n, t in learned(module).items()}:
        raise CheckpointError(f"{path} is the state of another model; choose another --out or begin without --resume")
    _copy(learned(module), weights)
    if average is not None:
        _copy(average, {name[8:]: t for name, t in tensors.items() if name.startswith("average.")})
    entries: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("optimizer."):
            _, number, key = name.split(".")
            entries.setdefault(int(number), {})[key] = value
    optimizer.load_state_dict({**optimizer.state_dict(), "state": entries})
    return int(facts["epochs"])


def _log(path: Path, row: Mapping[str, Any]) -> None:
    """Append a row, after dropping what a killed run logged but did not save."""
    kept = path.read_text().splitlines() if path.exists() else []
    kept = [line for line in kept if json.loads(line)["epoch"] < row["epoch"]]
    told = {key: round(value, 5) if isinstance(value, float) else value for key, value in row.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text("\n".join([*kept, json.dumps(told)]) + "\n")
    part.replace(path)
