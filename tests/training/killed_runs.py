"""Runs that end by SIGKILL and are resumed, each in a process of its own; prints what became of every one.

Started as a program by `test_kill.py`: it is the one process that loads torch, and forks all others.
A moment is a report of a step, or either side of a write being settled on the disk or moved to its name.
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

from mimica.training.loop import LoopConfig
from moments import Moments
from tiny_runs import CONFIG, Points, rows, run

SEED = 7
RUN = replace(CONFIG, epochs=3, save_every=2)
STEPS = 5


def trained(out: Path, config: LoopConfig, kill: int | None = None) -> dict[str, Any]:
    """What a run in this process leaves: a digest of its weights and the moments it passed by."""
    moments = Moments(kill)
    os.fsync = moments.around(os.fsync, "fsync")
    Path.replace = moments.around(Path.replace, "rename")  # type: ignore[method-assign]
    weights = run(
        out, config, data=Points(STEPS), resume=True, validate=lambda module: {"uar": 0.5},
        report=lambda row: moments.pass_by("report"),
    )  # fmt: skip
    digest = hashlib.sha256(b"".join(weights[name] for name in sorted(weights))).hexdigest()
    return {"weights": digest, "moments": moments.names}


def forked(out: Path, config: LoopConfig, kill: int | None = None) -> dict[str, Any]:
    """The same in a process of its own: what it left, or the signal that it died of."""
    out.mkdir(exist_ok=True)
    told = out.with_suffix(".json")
    child = os.fork()
    if not child:
        told.write_text(json.dumps(trained(out, config, kill)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status)}
    return dict(json.loads(told.read_text()), rows=rows(out))


def main(folder: Path) -> None:
    run(folder / "warm", replace(RUN, epochs=1))  # what the libraries load at their first step is loaded once for all
    whole = forked(folder / "whole", RUN)
    names = whole["moments"]
    chance = random.Random(SEED)
    steps = [place for place, name in enumerate(names) if name == "report"]
    writes = [place for place, name in enumerate(names) if name != "report"]
    runs = []
    for place in sorted(chance.sample(steps, 6) + chance.sample(writes, 10)):
        out = folder / str(place)
        ends = [forked(out, RUN, place)]
        ends.append(forked(out, RUN, 3))  # killed again, soon after it went on
        ends.append(forked(out, replace(RUN, save_every=0)))
        runs.append({"moment": f"{place}: {names[place]}", "ends": ends})
    print(json.dumps({"whole": whole, "runs": runs}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
