"""Tuning runs that end by SIGKILL and are resumed, each in a process of its own; prints what became of every one.

Started as a program by `test_killed.py`: it is the one process that loads torch, and forks all others. A moment is a
report of an iteration, or either side of a write being settled on the disk or moved to its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from moments import Moments
from tiny_tuning import SETTINGS, tuned, weights

SEED = 3
RUN = replace(SETTINGS, iterations=4, group=2, save_every=2, rule="ddpo", choose_steps=True)


def run(out: Path, kill: int | None = None) -> dict[str, Any]:
    """What a run in this process leaves: a digest of its weights, its log and adapter, and the moments it passed by."""
    moments = Moments(kill)
    os.fsync = moments.around(os.fsync, "fsync")
    Path.replace = moments.around(Path.replace, "rename")  # type: ignore[method-assign]
    policy, _ = tuned(out, RUN, resume=True, report=lambda row: moments.pass_by("report"))
    kept = [(out / name).read_bytes() for name in ("tuning.state", "tuning.jsonl", "adapter.safetensors")]
    digests = [hashlib.sha256(one).hexdigest() for one in (weights(policy), *kept)]
    return {"digests": digests, "moments": moments.names}


def forked(out: Path, kill: int | None = None) -> dict[str, Any]:
    """The same in a process of its own: what it left, or the signal that it died of."""
    out.mkdir(exist_ok=True)
    told = out.with_suffix(".json")
    child = os.fork()
    if not child:
        told.write_text(json.dumps(run(out, kill)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return {"signal": os.WTERMSIG(status)} if os.WIFSIGNALED(status) else dict(json.loads(told.read_text()))


def main(folder: Path) -> None:
    tuned(folder / "warm", replace(RUN, iterations=1))  # what libraries load at their first step is loaded once for all
    whole = forked(folder / "whole")
    names, chance, runs = whole["moments"], random.Random(SEED), []
    for place in sorted(chance.sample(range(len(names)), 5)):
        ends = [forked(folder / str(place), place), forked(folder / str(place))]
        runs.append({"moment": f"{place}: {names[place]}", "ends": ends})
    print(json.dumps({"whole": whole, "runs": runs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
