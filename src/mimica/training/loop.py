"""The training loop, to be read from top to bottom.

It rests on accelerate for precision, accumulation and several processes. Everything random is a
function of (seed, epoch, clip or batch), and a run's state is saved whole every so many steps and at
the end of each epoch. So a run that was killed goes on to the very weights of one that was not, as
far as the kernels of its device give the same sums twice; those of a CPU do.

Of n processes each takes its own `batch`, so that a step is of n times as many clips; the curve is that
of one process with a batch n times as large, to rounding.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from mimica.encoders.towers import recompute
from mimica.errors import MimicaError, MissingExtra, UsageError, unknown
from mimica.training import log
from mimica.training.average import Average
from mimica.training.best import Best
from mimica.training.memory import enough_memory
from mimica.training.plateau import Falling, Plateau
from mimica.training.processes import Processes, processes
from mimica.training.state import Progress, State

Batch = Mapping[str, Tensor]
Report = Callable[[Mapping[str, float | int | str]], None]

PRECISIONS = ("no", "bf16", "fp16")
SCHEDULES = ("cosine", "plateau")
_WITHOUT_EFFECT = ("save_every", "grad_checkpoint", "ahead")
"""Settings that change no result, so that a run may be resumed with others."""


class Diverged(MimicaError):
    """Training whose loss or gradient is no number any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopConfig:
    """How to train: epochs, batch, peak learning rate with linear warm-up (epochs) and then a schedule.

    `schedule` is cosine, to zero, or plateau, which falls where validation stands still, as `plateau` says how; the
    epoch that is kept is then, of those that are selected among, the one of the lowest loss.

    `batch` is that of each process; `ema` is the decay of the average of the weights that is kept and validated
    (0: none); `clip` the largest gradient norm; `accumulate` how many batches make a step; `precision` no, bf16
    or fp16. `save_every` is how many steps may be lost when a run is killed (0: an epoch); `grad_checkpoint`
    computes the layers of towers anew in the backward pass, which takes longer and far less memory. `ahead` is
    how many batches are prepared in threads while the model computes.
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
    save_every: int = 200
    grad_checkpoint: bool = False
    ahead: int = 2
    schedule: str = "cosine"
    plateau: Plateau = field(default_factory=Plateau)

    def __post_init__(self) -> None:
        for name, least in {"epochs": 1, "batch": 1, "accumulate": 1, "save_every": 0, "ahead": 0}.items():
            if getattr(self, name) < least:
                raise UsageError(f"{name} must be at least {least}, not {getattr(self, name)}")
        if not 0 < self.lr < math.inf:
            raise UsageError(f"lr must be above 0, not {self.lr}")
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.schedule not in SCHEDULES:
            raise unknown("schedule", self.schedule, SCHEDULES)

    @property
    def falling(self) -> Plateau | None:
        """How the rate falls where validation stands still, or None where it does not."""
        return self.plateau if self.schedule == "plateau" else None

    def facts(self) -> dict[str, Any]:
        """The settings as a checkpoint states them; a schedule that is the usual one goes without saying."""
        usual = ("schedule", "plateau") if self.falling is None else ()
        return {name: value for name, value in asdict(self).items() if name not in usual}


class Data(Protocol):
    """Batches of an epoch, as a function of the epoch alone; `steps` batches each."""

    steps: int

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, in order, from batch `first` on; those before it cost nothing."""
        ...


class Learner(Protocol):
    """What is trained: a module whose forward takes a batch and gives `loss` and what else to report."""

    def __call__(self, batch: Batch) -> dict[str, Tensor]:
        """The loss, a scalar under the key `loss`, and further scalars to report."""
        ...


def rate(config: LoopConfig, step: int, steps: int, reached: float | None = None) -> float:
    """The learning rate at a step: linear warm-up, then half a cosine down to zero, or what a plateau has `reached`."""
    warm = config.warmup * steps
    total = config.epochs * steps
    if step < warm:
        return config.lr * min(1.0, (step + 1) / warm)
    if config.falling is not None and reached is not None:
        return reached
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1.0, total - warm)))


def train(
    learner: nn.Module,
    data: Data,
    config: LoopConfig,
    *,
    out: Path,
    resume: bool = False,
    facts: Mapping[str, Any] | None = None,
    validate: Callable[[nn.Module], Mapping[str, float]] | None = None,
    select: bool = False,
    report: Report = lambda row: None,
) -> int:
    """Train a learner in place, and give the epoch, from 0, whose weights it holds at the end.

    That is the last; with `select` the best of what `validate` gives (`best.RULE`, or `LOWEST` on a plateau). They are
    the averaged weights, if an average was asked for. Writes `out/metrics.jsonl`, one row an epoch, and
    `out/state.safetensors`, the best epoch's weights in it. With `resume` an earlier run in `out` goes on from
    where it was last saved; without, it is forgotten. `facts` is what the result depends on beside `config` and
    must not change either. Raises CheckpointError where a state was made with other settings, data or weights,
    Diverged where the loss is no number any more, OutOfMemory where that is what lacks.
    """
    steps = data.steps // config.accumulate
    if steps == 0:
        raise UsageError(f"an epoch has {data.steps} batches, which is less than the {config.accumulate} to accumulate")
    recompute(learner, config.grad_checkpoint)
    all_of_us, accelerator = processes(), _accelerator(config)
    # For evaluation, as the library calls it, is to say: not wrapped for several processes, which is done below.
    model = accelerator.prepare_model(learner, evaluation_mode=True)
    optimizer = accelerator.prepare(_adam(learner, config))
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    average, best = Average(learner, config.ema), Best(learner, selects=select, by_loss=config.falling is not None)
    falling = Falling(config.falling, config.lr)
    state = State(
        path=out / "state.safetensors", module=learner, optimizer=optimizer, average=average, best=best,
        falling=falling, scaler=accelerator.scaler,
        settings={"loop": _telling(config, all_of_us), "number of batches": data.steps, **(facts or {})},
    )  # fmt: skip
    with all_of_us.together():
        here = state.restore() if resume else Progress()
    if all_of_us.main:
        state.forget(here)
        log.cut(out / "metrics.jsonl", "epoch", here.epoch)

    while here.epoch < config.epochs and not falling.over:
        began, before = time.monotonic() - here.seconds, here.epoch * steps
        model.train()
        done = here.step * config.accumulate
        batches = data.batches(here.epoch, done)
        # Batches too few for a step of their own are left out, so that epochs do not run into each other.
        for number in range(done + 1, steps * config.accumulate + 1):
            room = enough_memory(config, here, out, accelerator.device)
            with all_of_us.together(), room, accelerator.accumulate(model):
                batch = next(batches)
                _seed(config.seed, here.epoch, number)
                told = model({key: value.to(accelerator.device) for key, value in batch.items()})
                accelerator.backward(told["loss"])
            norm, told = None, all_of_us.mean(told)
            if accelerator.sync_gradients:
                all_of_us.mean_gradients(trained)
                norm = accelerator.clip_grad_norm_(trained, config.clip)
                for group in optimizer.param_groups:
                    group["lr"] = rate(config, before + here.step, steps, falling.rate)
            optimizer.step()
            optimizer.zero_grad()
            # In fp16 the scaler skips a step whose gradient overflows, and that is as it should be.
            _refuse_astray(told["loss"], norm if accelerator.scaler is None else None, here, config)
            for key, value in told.items():
                here.sums[key] = here.sums.get(key, 0.0) + float(value)
            if accelerator.sync_gradients:
                here.step += 1
                average.follow(before + here.step)
                if all_of_us.main and config.save_every and here.step % config.save_every == 0:
                    here.seconds = time.monotonic() - began
                    state.save(here)
            if all_of_us.main:
                loss = here.sums["loss"] / number
                report({"epoch": here.epoch, "step": number, "steps": steps * config.accumulate, "loss": loss})

        means = {key: value / (here.step * config.accumulate) for key, value in here.sums.items()}
        row: dict[str, Any] = {"epoch": here.epoch, "step": before + here.step, **means}
        _seed(config.seed, here.epoch, 0)
        with average.shown():
            with enough_memory(config, here, out, accelerator.device):
                figures = dict(validate(learner)) if validate else {}
            best.look(here.epoch, figures)
        row |= {**figures, **falling.look(figures, means), "seconds": round(time.monotonic() - began, 1)}
        here = Progress(epoch=here.epoch + 1)
        if all_of_us.main:
            # In this order: what was logged but not saved is trained and logged again, never the other way round.
            log.append(out / "metrics.jsonl", row, digits=5)
            state.save(here)
            report(row)
    average.settle()
    best.settle()
    _seed(config.seed, config.epochs, 0)  # so that what comes next draws the same after a resume
    return here.epoch - 1 if best.epoch is None else best.epoch


def _adam(learner: nn.Module, config: LoopConfig) -> torch.optim.AdamW:
    """Adam on what takes a gradient; only matrices decay."""
    trained = [p for p in learner.parameters() if p.requires_grad]
    matrices, others = [p for p in trained if p.ndim > 1], [p for p in trained if p.ndim <= 1]
    groups = [{"params": matrices, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=config.lr)


def _accelerator(config: LoopConfig) -> Any:
    try:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState
    except ImportError:
        raise MissingExtra("accelerate", "train") from None
    settings = {"mixed_precision": config.precision, "gradient_accumulation_steps": config.accumulate}
    settings["cpu"] = not torch.cuda.is_available() and processes().number > 1
    try:
        accelerator = Accelerator(**settings)
    except ValueError:
        # It holds a process to the precision of its first run; ours may pretrain in bf16 and then train in fp32.
        AcceleratorState._reset_state()
        try:
            accelerator = Accelerator(**settings)
        except ValueError as error:
            raise UsageError(f"precision {config.precision} cannot be had here: {error}") from None
    if config.precision == "fp16" and accelerator.scaler is None:
        # The library would go on in full precision and say nothing.
        raise UsageError(f"precision fp16 needs a GPU, and this is a {accelerator.device.type}; choose bf16 or no")
    return accelerator


def _telling(config: LoopConfig, all_of_us: Processes) -> dict[str, Any]:
    """The settings that the result depends on; the batch is that of all processes."""
    told = {name: value for name, value in config.facts().items() if name not in _WITHOUT_EFFECT}
    return told | {"batch": config.batch * all_of_us.number}


def _seed(seed: int, epoch: int, number: int) -> None:
    """Make what is drawn from here on, by a dropout or a validation, a function of its place in the run."""
    from accelerate.utils import set_seed

    # Mixed into 32 bits, since torch's generator looks at no more of a seed.
    set_seed(int(np.random.SeedSequence((seed % 2**64, epoch, number)).generate_state(1)[0]))


def _refuse_astray(loss: Tensor, norm: Tensor | None, here: Progress, config: LoopConfig) -> None:
    """Stop where the loss or the norm of the gradient is not finite, before it gets into a saved state."""
    for what, value in (("loss", loss.detach()), ("norm of the gradient", norm)):
        if value is not None and not math.isfinite(value):
            raise Diverged(
                f"the {what} became {float(value)} in epoch {here.epoch + 1}, step {here.step + 1}; begin again with a "
                f"smaller lr than {config.lr:g}, a longer warmup or precision no, and look for such numbers in the data"
            )
