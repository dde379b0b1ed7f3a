"""CPU-seconds of CIF's messages between a part of 784 patches and a bank, and the most megabytes held, as JSON.

A script of its own, so that the memory of its process is that of messages and not of the backbones. It tells of it
itself: what `wait4` tells of a child is no less than its parent held when it was started.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

import numpy as np

from mimica.anomaly.passing import propagate

EDGES = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nodes", type=int, default=19_000)
    parser.add_argument("--channels", type=int, default=1152)
    chosen = parser.parse_args()
    chance = np.random.default_rng(0)
    part, bank = (chance.standard_normal((rows, chosen.channels), np.float32) for rows in (28 * 28, chosen.nodes))
    unit = bank / np.linalg.norm(bank, axis=1, keepdims=True)  # which a bank has at hand
    incidence = np.eye(EDGES)[chance.integers(0, EDGES, len(part))]
    hard = chance.integers(0, EDGES, len(bank))
    began = time.process_time()
    propagate(part, bank, incidence, hard, layers=1, alpha=0.9, bank_unit=unit)
    print(json.dumps({"seconds": time.process_time() - began, "megabytes": held()}))


def held() -> float:
    """The most megabytes (10^6 bytes) that this process held, the bank and Python with it."""
    status = Path("/proc/self/status")
    if status.is_file():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


if __name__ == "__main__":
    main()
