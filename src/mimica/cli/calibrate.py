"""`mimica calibrate`: fit confidence and the threshold of `unsure` to labelled faces."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibrate:
    """Fit a recogniser's confidence, and when it is unsure, to labelled faces that it has not learned from."""

    model: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="MODEL")]
    """The path that training wrote; its .json is changed, its weights stay."""
    data: str
    """fer2013:PATH or table:FILE with a part calibration, or folder:PATH; of cropped faces."""
    fold: int | None = None
    """Which fold of data that has folds, from 1."""
    seed: int = 0
    """What the degradations depend on that confidence is fitted to as well."""

    def run(self) -> int:
        """Fit, keep it in the model's facts, and print it."""
        from mimica.checkpoint import SHIPPED, restate
        from mimica.data.clipset import load, load_held
        from mimica.errors import UsageError
        from mimica.experiments.measure import sampled
        from mimica.recognition.registry import load as load_recogniser
        from mimica.recognition.registry import locate
        from mimica.training.calibrate import calibration

        path = locate(str(self.model))
        if path.parent == SHIPPED:
            raise UsageError(f"{self.model} comes with the package; copy {path} and its .json, and calibrate the copy")
        recogniser = load_recogniser(str(path))
        how = sampled(recogniser.facts, views=1)
        wanted: dict[str, Any] = {
            "size": recogniser.size, "frames": how.kept, "space": recogniser.space, "fold": self.fold,
            "scenes": recogniser.reads_scenes,
        }  # fmt: skip
        held = load_held(self.data, **wanted) or load(self.data, part="calibration", **wanted)
        network: Any = recogniser.network  # every network that a file holds was trained
        found = calibration(
            network, held, mirrored=recogniser.mirrored, seed=self.seed, sampling=how.sampling, frames=how.frames,
        )  # fmt: skip
        restate(path, **found, uncalibrated=None)
        metrics = found["metrics"]
        print(f"temperature {found['temperature']:.3f}, slope {found['temperature_slope']:.3f}")
        print(f"unsure below {found['unsure_below']:.3f}")
        for what, figures in (("as they are", metrics), ("degraded", metrics["degraded"])):
            print(f"{what}: WAR {figures['war']:.3f}, UAR {figures['uar']:.3f}, ECE {figures['ece']:.3f}")
        print(f"kept in {path.with_suffix('.json')}")
        return 0
