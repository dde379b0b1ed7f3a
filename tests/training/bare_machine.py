"""Pretrain an encoder and train a recogniser where only torch, accelerate, numpy, safetensors and transformers are."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

LACKING = ("av", "PIL", "scipy", "sklearn", "tyro", "rich", "pyarrow", "plotly", "matplotlib", "mediapipe", "moderngl")


def main(out: Path, sentences: Path) -> None:
    sys.modules.update(dict.fromkeys(LACKING))  # which is how Python notes that there is no such package
    import numpy as np

    from mimica import assets, checkpoint
    from mimica.data.clipset import ClipSet
    from mimica.encoders.compact import CompactConfig
    from mimica.encoders.named import open_encoder
    from mimica.recognition.duse.config import DuseConfig
    from mimica.training import recipes, runs

    assets.find = {"minilm": sentences}.__getitem__  # type: ignore[assignment]
    random = np.random.default_rng(0)
    frames = list(random.integers(0, 256, (28, 1, 48, 48, 1), np.uint8))
    clips = ClipSet(frames=frames, labels=np.arange(28) % 7, names=[str(i) for i in range(28)])
    tiny = CompactConfig(stem=(4, 4, 8), entry=4, width=16, layers=2, heads=2, dim=8)
    first = replace(recipes.compact(), encoder=tiny)
    first = replace(first, loop=replace(first.loop, epochs=1, batch=7, precision="no"))
    encoder = runs.pretrain(first, clips, out=out, held=clips)
    then = replace(recipes.duse_compact(), encoder=str(encoder), model=DuseConfig(depth="deep", tokens=2, heads=2))
    then = replace(then, per_epoch=14, loop=replace(then.loop, epochs=1, batch=7, precision="no"))
    made = runs.train_recogniser(then, open_encoder(str(encoder)), clips, out=out / "duse", held=clips)
    facts = checkpoint.read_facts(made)
    print(facts["calibrated_on"], facts["uncalibrated"], [name for name in LACKING if sys.modules[name]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
