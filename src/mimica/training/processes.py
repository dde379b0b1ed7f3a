"""Several processes that train together, as `accelerate launch` or `torchrun` starts them, or the only one.

Each computes its share of every batch, and all take the same step. What is learned is small, so its
gradients travel as one tensor; between the work of each and that exchange all hear whether one has failed.
Only the main one writes, shows progress, and says what went wrong.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mimica.errors import MimicaError, MissingExtra, UsageError

_NUMBER = ("WORLD_SIZE", "PMI_SIZE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
_RANK = ("RANK", "PMI_RANK", "OMPI_COMM_WORLD_RANK", "MV2_COMM_WORLD_RANK")
"""Where launchers say how many processes there are and which this is."""


class Elsewhere(SystemExit):
    """Ends a process quietly where the main one says what is wrong."""


class _Heard(BaseException):
    """Ends the work of a process that has heard, in the midst of it, that another has failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Processes:
    """How many there are, and the `rank` of this one, from 0; the main one is 0."""

    number: int = 1
    rank: int = 0

    @property
    def main(self) -> bool:
        """Whether this one writes and speaks."""
        return self.rank == 0

    @contextmanager
    def together(self) -> Iterator[None]:
        """While entered, each does its own work, and waits at the end for the others.

        Where one has failed all end: the main one with the error, the others with `Elsewhere`.
        """
        if self.number == 1:
            yield
            return
        failed: Exception | None = None
        heard = False
        try:
            yield
        except _Heard:
            heard = True
        except Exception as error:
            failed = error
        if not heard and not self._exchanged(failed=failed is not None)[0]:
            return
        told = [one for one in self.gathered(None if failed is None else _told(failed)) if one]
        if not self.main:
            raise Elsewhere(1)
        raise failed or _error(*told[0])

    def mean(self, values: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Of each number its mean over the processes, on every one of them the same."""
        found = {name: value.detach().float() for name, value in values.items()}
        if self.number == 1:
            return found
        return dict(zip(found, _mean(torch.stack([value.cpu() for value in found.values()])).unbind(), strict=True))

    def agreed(self, value: Tensor) -> Tensor:
        """A number's mean over the processes, asked for by each of them while it works `together` with the others.

        Where one has failed before it came to ask, this ends the work of all.
        """
        if self.number == 1:
            return value
        failed, mean = self._exchanged(float(value))
        if failed:
            raise _Heard
        return value.new_tensor(mean)

    def _exchanged(self, value: float = 0.0, *, failed: bool = False) -> tuple[float, float]:
        """Which share of the processes has failed, and the mean of their values; one form for whoever meets whom."""
        failures, mean = _mean(torch.tensor([float(failed), value])).tolist()
        return failures, mean

    def mean_gradients(self, weights: Sequence[Tensor]) -> None:
        """Give all processes the mean of their gradients."""
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        if self.number == 1 or not gradients:
            return
        whole = _mean(torch.cat([gradient.flatten() for gradient in gradients]))
        for gradient, mean in zip(gradients, torch.split(whole, [g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    def gathered(self, mine: Any) -> list[Any]:
        """What each process has, in the order of their ranks, on every one of them."""
        if self.number == 1:
            return [mine]
        from accelerate.utils import gather_object

        return list(gather_object([mine]))


def processes() -> Processes:
    """The processes that this one is of; they meet here. Raises MissingExtra without accelerate."""
    if _said(_NUMBER, 1) == 1:
        return Processes()
    try:
        from accelerate import PartialState
    except ImportError:
        raise MissingExtra("accelerate", "train") from None
    # Without being told so, the library takes several processes on CPUs for as many that are alone.
    state = PartialState(cpu=not torch.cuda.is_available())
    if state.num_processes != _said(_NUMBER, 1):
        raise UsageError(
            f"{_said(_NUMBER, 1)} processes were launched and accelerate made {state.num_processes} of them"
        )
    return Processes(number=state.num_processes, rank=state.process_index)


@contextmanager
def one_voice() -> Iterator[None]:
    """While entered, what all processes find wrong alike is said by the main one alone."""
    try:
        yield
    except MimicaError:
        if _said(_RANK, 0):
            raise Elsewhere(1) from None
        raise


def _said(names: Sequence[str], else_: int) -> int:
    return next((int(os.environ[name]) for name in names if os.environ.get(name, "").isdecimal()), else_)


def _mean(tensor: Tensor) -> Tensor:
    from accelerate import PartialState
    from accelerate.utils import reduce

    mean: Tensor = reduce(tensor.to(PartialState().device), "mean")
    return mean


def _told(error: Exception) -> tuple[str, str]:
    """An error in a form that can be sent: its kind, as far as it matters, and what it says."""
    if isinstance(error, UsageError):
        return "usage", str(error)
    return ("mimica", str(error)) if isinstance(error, MimicaError) else (type(error).__name__, str(error))


def _error(kind: str, text: str) -> Exception:
    if kind == "usage":
        return UsageError(text)
    return MimicaError(text) if kind == "mimica" else RuntimeError(f"{kind}: {text}")
