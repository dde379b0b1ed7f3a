"""What CIF costs a part on the shapes of its paper: DINO ViT-B/8 and Point-MAE, 224 x 224 pixels, 50,000 points.

CPU-seconds of one process, one thread by default: the whole of a part from its pixels to its finding, of that what
the two backbones take (Point-MAE with its token encoder) and what everything else does; the naive way beside it
(`cif_naive.py`: the same results to the digits printed); and messages against a bank of 19,000 nodes in a process of
its own, with the most memory that this held. What it does not show: accuracy (the weights are random, which costs
the same), the seconds to read a file, and a machine that does nothing else: what else runs takes caches too.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest import mock

import cif_naive
import machine
import numpy as np
import torch

from mimica.anomaly import search
from mimica.anomaly.config import CifConfig
from mimica.anomaly.detector import Detector
from mimica.anomaly.features.dino import Dino
from mimica.anomaly.features.pointmae import PointMae
from mimica.anomaly.features.pointmae_net import PointMaeEncoder
from mimica.anomaly.samples import Sample

SIDE, POINTS = 224, 50_000
SECONDS, ELSE, TIMES_CHEAPER = 7.0, 0.3, 2.5
NODES, NODES_SECONDS, NODES_MEGABYTES = 19_000, 1.0, 500


class Clocked:
    """A network that adds up the CPU-seconds of its calls."""

    def __init__(self, network: Any) -> None:
        self.network, self.seconds = network, 0.0

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        began = time.process_time()
        found = self.network(*inputs, **options)
        self.seconds += time.process_time() - began
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.network, name)


def part(number: int) -> Sample:
    """A bun on a plate by a formula, with its texture and noise; 50,000 of its 50,176 pixels are measured."""
    chance = np.random.default_rng(number)
    v, u = np.mgrid[:SIDE, :SIDE] / SIDE - 0.5
    r = np.hypot(u - 0.02 * chance.standard_normal(), v - 0.02 * chance.standard_normal())
    height = 0.03 * np.sqrt(np.maximum(1 - (r / 0.32) ** 2, 0))
    depth = 0.5 + 0.02 * u - height + chance.normal(0, 2e-4, u.shape)
    xyz = np.stack([u * 0.4 * depth, v * 0.4 * depth, depth], -1).astype(np.float32)
    xyz.reshape(-1, 3)[chance.permutation(SIDE**2)[POINTS:]] = np.nan
    rgb = np.where((r < 0.32)[..., None], (200.0, 150, 90), (70.0, 75, 80)) + chance.normal(0, 12, (SIDE, SIDE, 3))
    return Sample(name=str(number), rgb=np.clip(rgb, 0, 255).astype(np.uint8), xyz=xyz)


def weights(folder: Path) -> tuple[Path, Path]:
    """Random weights of both, as files; `ViTConfig` as it is, but for the patch, is ViT-B."""
    from transformers import ViTConfig, ViTModel, logging

    logging.disable_progress_bar()
    torch.manual_seed(0)
    ViTModel(ViTConfig(patch_size=8, layer_norm_eps=1e-6), add_pooling_layer=False).save_pretrained(folder / "dino")
    torch.save({"base_model": PointMaeEncoder().state_dict()}, folder / "pointmae.pth")
    return folder / "dino", folder / "pointmae.pth"


@contextmanager
def clocked(*makers: Any) -> Iterator[list[Clocked]]:
    """The makers' networks, clocked for a while."""
    fields = ["encoder" if isinstance(maker, PointMae) else "model" for maker in makers]
    clocks = [Clocked(getattr(maker, name)) for maker, name in zip(makers, fields, strict=True)]
    for maker, name, clock in zip(makers, fields, clocks, strict=True):
        setattr(maker, name, clock)
    try:
        yield clocks
    finally:
        for maker, name, clock in zip(makers, fields, clocks, strict=True):
            setattr(maker, name, clock.network)


def cpu(call: Callable[[], Any]) -> float:
    """CPU-seconds of a call."""
    began = time.process_time()
    call()
    return time.process_time() - began


def ours(detector: Detector, sample: Sample) -> dict[str, Any]:
    """CPU-seconds of one part: the whole, each backbone, and what is left; and its `heat` map."""
    found = []
    with clocked(*detector.makers) as (dino, pointmae):
        whole = cpu(lambda: found.append(detector.score(sample)))
    return {
        "seconds": whole, "dino": dino.seconds, "pointmae": pointmae.seconds,
        "everything_else": whole - dino.seconds - pointmae.seconds, "heat": found[0].heat,
    }  # fmt: skip


def naive(detector: Detector, sample: Sample, file: Path, heat: np.ndarray) -> dict[str, float]:
    """CPU-seconds of the same part the naive way, and how far its heat map is from `heat`, by the hottest."""
    other = Detector(
        [detector.makers[0], cif_naive.NaivePointMae(weights=file)], detector.bank, detector.units,
        detector.calibration,
    )  # fmt: skip
    found = []
    with mock.patch.object(search, "propagate", cif_naive.propagate):
        seconds = cpu(lambda: found.append(other.score(sample).heat))
    return {"seconds": seconds, "apart": float(np.abs(found[0] - heat).max() / heat.max())}


def messages(channels: int, threads: int) -> dict[str, float]:
    """CPU-seconds of messages with a bank of 19,000 nodes, and the most megabytes that their process held."""
    script = Path(__file__).with_name("cif_messages.py")
    command = [sys.executable, str(script), "--nodes", str(NODES), "--channels", str(channels)]
    ran = machine.succeeded(machine.run(command, env=machine.env(threads)))
    return dict(json.loads(ran.lines[-1][1]))


def main() -> None:
    chosen = _chosen()
    torch.set_num_threads(chosen.threads)
    result: dict[str, Any] = {"machine": machine.settle(), "threads": chosen.threads, "shots": chosen.shots}
    with tempfile.TemporaryDirectory() as folder:
        dino, pointmae = weights(Path(folder))
        makers = [Dino(weights=dino), PointMae(weights=pointmae)]
        detector = Detector.fit([part(i) for i in range(chosen.shots)], makers, CifConfig(augmentations=0))
        result["ours"] = machine.best(lambda: ours(detector, part(100)), chosen.rounds)
        heat = result["ours"].pop("heat")
        result["naive"] = machine.best(lambda: naive(detector, part(100), pointmae, heat), chosen.naive_rounds)
    result["times_cheaper"] = result["naive"]["seconds"] / result["ours"]["seconds"]
    result["messages"] = {
        "nodes": NODES, **{str(channels): messages(channels, chosen.threads) for channels in (768, 1152)}
    }  # fmt: skip
    result["goals"] = goals(result)
    _print(result)
    machine.keep(chosen.json, result)


def goals(result: dict[str, Any]) -> dict[str, bool]:
    """Each line that was aimed at, and whether it holds."""
    wide = result["messages"]["1152"]
    return {
        f"at most {SECONDS:g} CPU-seconds a part": result["ours"]["seconds"] <= SECONDS,
        f"at least {TIMES_CHEAPER:g} times cheaper than the naive way": result["times_cheaper"] >= TIMES_CHEAPER,
        f"at most {ELSE:g} CPU-seconds beside the backbones": result["ours"]["everything_else"] <= ELSE,
        f"messages with {NODES} nodes in at most {NODES_SECONDS:g} CPU-second": wide["seconds"] <= NODES_SECONDS,
        f"and in at most {NODES_MEGABYTES} MB": wide["megabytes"] <= NODES_MEGABYTES,
    }


def _print(result: dict[str, Any]) -> None:
    print(
        "{seconds:.2f} CPU-seconds a part: DINO {dino:.2f}, Point-MAE {pointmae:.2f}, everything else "
        "{everything_else:.3f}".format(**result["ours"])
    )
    print(
        "the naive way {seconds:.2f}, {times_cheaper:.1f} times as much; heat maps differ by {apart:.1e} of the "
        "hottest".format(**result["naive"], times_cheaper=result["times_cheaper"])
    )
    for channels in ("768", "1152"):
        print(f"messages, {NODES} nodes of {channels}: "
              "{seconds:.2f} CPU-seconds, {megabytes:.0f} MB".format(**result["messages"][channels]))  # fmt: skip
    for line, reached in result["goals"].items():
        print(f"{line}: {machine.goal(reached)}")


def _chosen() -> Any:
    parser = machine.flags(__doc__)
    parser.set_defaults(threads=1)
    parser.add_argument("--shots", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--naive-rounds", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    main()
