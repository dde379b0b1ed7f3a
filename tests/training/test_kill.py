"""Runs that are truly killed: by SIGKILL, which no program can catch, at moments drawn by a seed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What became of all runs; one process loads the libraries and forks the others."""
    path = os.pathsep.join([str(HERE.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_runs.py"), str(tmp_path_factory.mktemp("killed"))],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


def test_every_run_was_killed_by_the_signal_and_resumed(told: dict[str, Any]) -> None:
    assert len(told["runs"]) == 16
    for run in told["runs"]:
        first, second, last = run["ends"]
        assert first == {"signal": signal.SIGKILL}
        assert second == {"signal": signal.SIGKILL} or "weights" in second  # there may be too little left
        assert "weights" in last


def test_moments_are_within_epochs_and_within_writes(told: dict[str, Any]) -> None:
    moments = {run["moment"].split(": ")[1] for run in told["runs"]}
    assert moments == {"report", "before fsync", "after fsync", "before rename", "after rename"}


def test_weights_of_killed_runs_are_to_the_byte_those_of_one_left_alone(told: dict[str, Any]) -> None:
    assert [run["moment"] for run in told["runs"] if run["ends"][-1]["weights"] != told["whole"]["weights"]] == []


def test_their_logs_have_the_same_rows_none_twice_and_none_lost(told: dict[str, Any]) -> None:
    assert [row["epoch"] for row in told["whole"]["rows"]] == [0, 1, 2]
    assert [run["moment"] for run in told["runs"] if run["ends"][-1]["rows"] != told["whole"]["rows"]] == []
