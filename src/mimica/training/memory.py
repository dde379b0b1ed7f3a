"""What is said where training needs more memory than there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from mimica.errors import MimicaError

if TYPE_CHECKING:
    from mimica.training.loop import LoopConfig
    from mimica.training.state import Progress

_SIGNS = ("DefaultCPUAllocator", "out of memory", "not enough memory", "can't allocate memory")


class OutOfMemory(MimicaError):
    """Training that needs more memory than the device or the machine has."""


@contextmanager
def enough_memory(config: LoopConfig, here: Progress, out: Path, device: torch.device) -> Iterator[None]:
    """While entered, an error of torch, numpy or Python for want of memory is told in a sentence with the mend."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not short(error):
            raise
        where = f"epoch {here.epoch + 1}, step {here.step + 1}"
        raise OutOfMemory(
            f"there is too little memory on {device} for batches of {config.batch} ({where}); {_mend(config)}; what "
            f"was saved in {out} is kept"
        ) from None


def short(error: BaseException) -> bool:
    """Whether an error is for want of memory: on a GPU, or on the CPU, where torch has no kind of its own for it."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _SIGNS)


def _mend(config: LoopConfig) -> str:
    told = [] if config.grad_checkpoint else ["go on with --resume --grad-checkpoint, which takes far less"]
    if config.batch > 1:
        less, times = -(-config.batch // 2), config.accumulate * 2
        told.append(f"begin again with --batch {less} --accumulate {times}, steps of as many clips in smaller parts")
    return ", or ".join(told) or "take a smaller encoder, or a device that has more"
