"""Caches whose making ends by SIGKILL and goes on, each in a process of its own; prints what became of every one.

Started as a program by `test_cache.py`: it is the one process that loads torch, and forks all others. A moment is a
report of progress, or either side of a write being settled on the disk or moved to its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any

from mimica.encoders.clip import load_clip
from mimica.encoders.towers import DualEncoder
from mimica.recognition.ous.model import Ous
from mimica.training import cache
from moments import Moments
from tiny_clip import write_clip
from tiny_scenes import clips, recipe

SEED, CLIPS = 11, 7


def made(out: Path, encoder: DualEncoder, kill: int | None) -> dict[str, Any]:
    """The moments that making a cache passes by, and the number of clips that the tower was shown."""
    moments, shown = Moments(kill), 0
    os.fsync = moments.around(os.fsync, "fsync")
    Path.replace = moments.around(Path.replace, "rename")  # type: ignore[method-assign]
    encode = Ous.encode

    def counting(self: Ous, batch: Any) -> Any:
        nonlocal shown
        shown += len(batch.valid)
        return encode(self, batch)

    Ous.encode = counting  # type: ignore[method-assign]
    cache.fill(
        out, recipe(), encoder, clips(CLIPS, size=32), views=1, progress=lambda done, total: moments.pass_by("report")
    )
    return {"moments": moments.names, "shown": shown}


def forked(out: Path, encoder: DualEncoder, kill: int | None = None) -> dict[str, Any]:
    """The same in a process of its own: what it left, or the signal that it died of."""
    told = out.with_suffix(".json")
    child = os.fork()
    if not child:
        told.write_text(json.dumps(made(out, encoder, kill)))
        os._exit(0)
    _, status = os.waitpid(child, 0)
    there = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in out.glob("*.*[!t]")}
    if os.WIFSIGNALED(status):
        return {"signal": os.WTERMSIG(status), "files": there}
    return {**json.loads(told.read_text()), "files": there}


def main(folder: Path) -> None:
    cache.SHARD = cache._TOGETHER = 2  # here and not above: whoever only looks at this file keeps its own
    (folder / "clip").mkdir()
    write_clip(folder / "clip")
    encoder = load_clip(folder / "clip")
    whole = forked(folder / "whole", encoder)
    names, chance, runs = whole["moments"], random.Random(SEED), []
    for place in sorted(chance.sample(range(len(names)), 8)):
        out = folder / str(place)
        runs.append({"moment": f"{place}: {names[place]}", "ends": [forked(out, encoder, place), forked(out, encoder)]})
    again = forked(folder / "whole", encoder)
    print(json.dumps({"whole": whole, "runs": runs, "again": again}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
