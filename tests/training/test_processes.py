"""Two processes on CPUs, as a launcher starts them, beside one with the doubled batch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from mimica.errors import UsageError
from mimica.training import runs
from mimica.training.processes import Elsewhere, Processes, one_voice, processes

HERE = Path(__file__).parent
forks = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory, tiny_encoder: Path, tiny_text_folder: Path) -> dict[str, Any]:
    """What became of all runs, by the rank of each process."""
    path = os.pathsep.join([str(HERE.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(HERE / "two_processes.py"), str(tmp_path_factory.mktemp("two")), str(tiny_encoder),
         str(tiny_text_folder)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


@forks
def test_the_loss_curve_of_two_processes_is_that_of_one_with_the_doubled_batch(told: dict[str, Any]) -> None:
    two, one = (told[name][0]["rows"] for name in ("two", "one"))
    assert [row["epoch"] for row in two] == [0, 1, 2]
    for ours, theirs in zip(two, one, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-5)
    assert len({row["loss"] for row in two}) == 3


@forks
def test_two_processes_learn_from_generated_clips_as_one_with_the_doubled_batch(told: dict[str, Any]) -> None:
    two, one, plain = (told[name][0]["rows"] for name in ("two mixed", "one mixed", "two"))
    for ours, theirs in zip(two, one, strict=True):
        assert ours == pytest.approx(theirs, abs=2e-5)
    assert two[0]["loss"] != pytest.approx(plain[0]["loss"], abs=2e-5)
    assert told["two mixed"][0]["weights"] == told["two mixed"][1]["weights"]


@forks
def test_all_processes_hold_the_very_same_weights_and_the_main_one_alone_reports(told: dict[str, Any]) -> None:
    main, other = told["two"]
    assert main["weights"] == other["weights"]
    assert (main["told"], other["told"]) == (3 * 5 + 3, 0)


@forks
def test_what_two_processes_saved_one_with_the_doubled_batch_goes_on_from(told: dict[str, Any]) -> None:
    assert told["again"][0]["weights"] == told["two"][0]["weights"]
    assert told["again"][0]["told"] == 0


@forks
def test_where_one_process_fails_all_end_and_the_main_one_says_why(told: dict[str, Any]) -> None:
    assert told["broken"] == [{"error": "MimicaError: a clip is broken"}, {"left": "Elsewhere"}]


@forks
def test_processes_that_decide_in_the_midst_of_a_step_all_take_the_same_side(told: dict[str, Any]) -> None:
    main, other = told["switching"]
    assert main["weights"] == other["weights"]
    above = [row["above"] for row in main["rows"]]
    assert 0 < sum(above) < len(above), "both sides were taken, and each by both processes"
    assert all(round(5 * share, 3).is_integer() for share in above)


@forks
def test_where_one_fails_before_it_is_asked_those_that_ask_hear_it_and_all_end(told: dict[str, Any]) -> None:
    assert told["broken while it decides"] == [{"error": "MimicaError: a clip is broken"}, {"left": "Elsewhere"}]


@forks
def test_what_is_wrong_in_all_processes_is_said_once(told: dict[str, Any]) -> None:
    said = "UsageError: an epoch has 2 batches, which is less than the 9 to accumulate"
    assert told["alike"] == [{"error": said}, {"left": "Elsewhere"}]


def test_without_a_launcher_there_is_one_process_and_nothing_is_exchanged() -> None:
    alone = processes()
    assert alone == Processes(number=1, rank=0)
    assert alone.main
    assert alone.gathered({"any": "thing"}) == [{"any": "thing"}]
    assert alone.mean({"loss": torch.tensor(2.0)})["loss"] == 2.0
    assert alone.agreed(torch.tensor(2.0)) == 2.0
    with pytest.raises(KeyError), alone.together():
        raise KeyError


def test_a_process_that_is_not_the_main_one_leaves_errors_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(Elsewhere) as caught, one_voice():
        raise UsageError("the same everywhere")
    assert caught.value.code == 1
    monkeypatch.setenv("RANK", "0")
    with pytest.raises(UsageError), one_voice():
        raise UsageError("the same everywhere")


def test_pretraining_in_several_processes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "processes", lambda: Processes(number=2, rank=0))
    nothing: Any = None
    with pytest.raises(UsageError, match="pretraining runs in one process; start it without a launcher"):
        runs.pretrain(nothing, nothing, out=tmp_path)
