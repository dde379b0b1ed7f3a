from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def test_training_asks_for_torch_accelerate_numpy_safetensors_and_transformers_alone(
    tmp_path: Path, tiny_text_folder: Path
) -> None:
    done = subprocess.run(
        [sys.executable, str(HERE / "bare_machine.py"), str(tmp_path), str(tiny_text_folder)],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    told = done.stdout.strip().splitlines()[-1]
    assert told == "None PIL was not installed; mimica calibrate fits it []"
