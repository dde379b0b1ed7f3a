"""CPU-seconds of CIF's messages between a part of 784 patches and a bank, as one line of JSON.

A script of its own, so that the memory of its process is that of messages and not of the backbones:
`cif_cost.py` runs it and adds what it held.
"""

from __future__ import annotations

import argparse
import json
import time

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
    print(json.dumps({"seconds": time.process_time() - began}))


if __name__ == "__main__":
    main()
