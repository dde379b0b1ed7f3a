"""Tuning that is truly killed: by SIGKILL, which no program can catch, at moments drawn by a seed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("peft")
pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")

HERE = Path(__file__).parent


def test_tuning_that_was_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    path = os.pathsep.join([str(HERE.parent.parent), *sys.path])
    done = subprocess.run(
        [sys.executable, str(HERE / "killed_tuning.py"), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert len(told["runs"]) == 5
    for one in told["runs"]:
        first, last = one["ends"]
        assert first == {"signal": signal.SIGKILL}, one["moment"]
        assert last.get("digests") == told["whole"]["digests"], one["moment"]
