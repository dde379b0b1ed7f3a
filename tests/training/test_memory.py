from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from mimica.training.loop import train
from mimica.training.memory import OutOfMemory, short
from tiny_runs import CONFIG, Killed, Line, Points, kill_at, run

TOLD = "DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes. Error code 12"


class Greedy(Line):
    """Has no memory left in its eighth batch."""

    error: Exception = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    steps = 0

    def forward(self, batch: Mapping[str, Tensor]) -> dict[str, Tensor]:
        self.steps += 1
        if self.steps == 8:
            raise self.error
        return super().forward(batch)


@pytest.mark.parametrize(
    "error", [torch.OutOfMemoryError("CUDA out of memory."), RuntimeError(TOLD), MemoryError(), RuntimeError("[enforce "
     "fail at alloc_cpu.cpp:118] err == 0. DefaultCPUAllocator: not enough memory: you tried")]
)  # fmt: skip
def test_no_memory_on_a_gpu_or_on_the_cpu_is_a_sentence_with_the_mend_and_what_was_saved_stays(
    tmp_path: Path, error: Exception
) -> None:
    learner = Greedy()
    learner.error = error
    config = replace(CONFIG, save_every=1)
    with pytest.raises(OutOfMemory) as caught:
        train(learner, Points(), config, out=tmp_path / "greedy")
    assert str(caught.value) == (
        "there is too little memory on cpu for batches of 8 (epoch 2, step 3); go on with --resume --grad-checkpoint, "
        "which takes far less, or begin again with --batch 4 --accumulate 2, steps of as many clips in smaller parts; "
        f"what was saved in {tmp_path / 'greedy'} is kept"
    )
    with pytest.raises(Killed):
        run(tmp_path / "killed", config, report=kill_at(1, 2))
    assert run(tmp_path / "greedy", config, resume=True) == run(tmp_path / "killed", config, resume=True)


def test_validation_without_memory_says_so_too(tmp_path: Path) -> None:
    def validate(module: torch.nn.Module) -> Mapping[str, float]:
        raise RuntimeError(TOLD)

    with pytest.raises(OutOfMemory, match=r"batches of 8 \(epoch 1, step 6\)"):
        run(tmp_path, validate=validate)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"batch": 1}, "; go on with --resume --grad-checkpoint, which takes far less; what"),
        ({"batch": 5, "accumulate": 3}, "or begin again with --batch 3 --accumulate 6, steps"),
    ],
)
def test_the_mend_is_one_that_is_still_to_be_had(tmp_path: Path, changes: dict[str, int], said: str) -> None:
    with pytest.raises(OutOfMemory) as caught:
        train(Greedy(), Points(20), replace(CONFIG, **changes), out=tmp_path)  # type: ignore[arg-type]
    assert said in str(caught.value)


def test_other_errors_are_not_taken_for_it() -> None:
    assert not short(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    assert not short(ValueError("out of memory"))
