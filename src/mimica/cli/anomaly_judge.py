"""`mimica anomaly fit` and `score`: a bank from a few good parts, and what it says of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from mimica.cli.progress import Stop, counted

if TYPE_CHECKING:
    from mimica.anomaly.config import CifConfig
    from mimica.anomaly.detector import Detector
    from mimica.anomaly.features.maker import FeatureMaker
    from mimica.anomaly.inspection import Inspection

Split = Literal["train", "validation", "test"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What parts are compared by, and how."""

    rgb: Literal["colour", "mobilenet", "dinov2s", "dino", "none"] = "colour"
    """Features of colour; none leaves it out."""
    xyz: Literal["fpfh", "normals", "pointmae", "none"] = "normals"
    """Features of depth; none leaves it out."""
    rgb_weights: Path | None = None
    """The file or folder of dinov2s or dino, as its authors or the hub have it."""
    xyz_weights: Path | None = None
    """Point-MAE's file, as its authors have it."""
    bn_stats: Literal["batch", "running"] | None = None
    """Of pointmae: norms by the very scan (batch, as the public code runs) or by the pretraining (running)."""
    unit_cloud: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Of pointmae: divide each scan by its radius first, as in the pretraining."""
    groups: int | None = None
    """Of pointmae: how many groups of points, 1024 where nothing is said; half as many take half the time."""
    preset: Literal["default", "reference", "nearest"] = "default"
    """What we recommend, how the public code runs, or plain nearest neighbours."""
    options: tuple[str, ...] = ()
    """Single choices as NAME=VALUE, such as edges=8; src/mimica/anomaly/config.py lists them."""

    def made(self) -> tuple[list[FeatureMaker], CifConfig]:
        """The makers and the choices that are meant."""
        from mimica.anomaly.config import preset
        from mimica.anomaly.features.maker import make

        config = preset(self.preset, self.options)
        chosen = {"bn_stats": self.bn_stats, "unit_cloud": self.unit_cloud or None, "groups": self.groups}
        makers = make(
            self.rgb, self.xyz, rgb_weights=self.rgb_weights, xyz_weights=self.xyz_weights, side=config.side,
            cells=config.cells, **{name: value for name, value in chosen.items() if value is not None},
        )  # fmt: skip
        return makers, config


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """Make a bank of a few good parts of one category, with a threshold learned from them alone.

    They are drawn by seed from the good parts of train, or from all where a source has no splits; k of them are among
    the k + 1 of the same seed.
    """

    source: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE")]
    """KIND:PATH of one category, such as mvtec3d:ROOT/bagel; see mimica anomaly check."""
    out: Path
    """Where the bank goes: OUT.safetensors and OUT.json."""
    shots: int = 4
    """How many good parts."""
    seed: int = 0
    """Which ones."""
    features: Features = field(default_factory=Features)

    def run(self) -> int:
        """Fit, save, and print what the bank holds."""
        from mimica.anomaly.detector import Detector, good_part
        from mimica.anomaly.scans.sources import open_samples
        from mimica.anomaly.shots import drawn
        from mimica.anomaly.store import save

        makers, config = self.features.made()
        samples = drawn(open_samples(self.source), self.shots, self.seed)
        parts = []
        with counted("looking at good parts") as progress:
            for sample in samples:
                parts.append(good_part(sample, makers, config))
                progress(len(parts), len(samples))
        detector = Detector.of(parts, makers, config)
        print(save(detector, self.out))
        _print_bank(detector, self.seed)
        return 0


def _print_bank(detector: Detector, seed: int) -> None:
    bank, config = detector.bank, detector.config
    number = len(bank.shots)
    print(f"{number} good part{'s' if number > 1 else ''} by seed {seed}: {', '.join(sorted(bank.shots))}")
    for maker in detector.makers:
        view = bank.views[maker.modality]
        print(f"{maker.modality}: {len(view.nodes)} nodes of {view.nodes.shape[1]} {maker.facts['name']} features")
    if not detector.calibration.shots:
        print("no threshold: with one good part it takes altered copies (--options augmentations=4)")
        return
    threshold = detector.calibration.threshold(config.false_alarms)
    print(f"threshold {threshold:.4g}: {100 * config.false_alarms:g} % of good parts are expected to score higher")


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Judge parts by a bank: a table, a heat map over each, coloured points, and a page to look through.

    Each part is judged by itself. What cannot be judged is recorded with its reason, and the exit code is 1. The same
    command again does only what is missing.
    """

    bank: Annotated[Path, tyro.conf.Positional, tyro.conf.arg(metavar="BANK")]
    """What mimica anomaly fit wrote."""
    source: Annotated[tuple[str, ...], tyro.conf.Positional, tyro.conf.arg(metavar="SOURCE|FILES")]
    """KIND:PATH, or pictures, PLY or PCD files."""
    out: Path
    """Folder for scores.csv, index.html, heat/, seen/ and points/."""
    split: Split | None = None
    """Which split of a source that has splits: test if there is one, else all."""
    rgb_weights: Path | None = None
    """The weights that the bank's features of colour were made with, where they are a file of your own."""
    xyz_weights: Path | None = None
    """The same of depth."""

    def run(self) -> int:
        """Judge, and print where it all lies."""
        from mimica.anomaly.inspection import inspect
        from mimica.anomaly.scans.given import given
        from mimica.anomaly.store import load
        from mimica.errors import UsageError

        if not self.source:
            raise UsageError("there is nothing to score; give KIND:PATH, or pictures, PLY or PCD files")
        detector = load(self.bank, rgb_weights=self.rgb_weights, xyz_weights=self.xyz_weights)
        source = given(self.source, self.split)
        stop = Stop()
        with stop, counted("judging parts") as progress:
            found = inspect(detector, source, self.out, bank=str(self.bank), progress=progress, stop=stop)
        _print_found(found)
        return 130 if found.stopped else int(bool(found.failed))


def _print_found(found: Inspection) -> None:
    from mimica.anomaly.inspection import DEFECTIVE, PAGE, TABLE

    defective = sum(row.verdict == DEFECTIVE for row in found.rows)
    before = f" ({found.before} of them before)" if found.before else ""
    judged = len(found.rows) - len(found.failed)
    print(f"{judged} part{'' if judged == 1 else 's'} judged{before}, {defective} defective")
    for row in found.failed:
        print("not judged:", row.error if row.error.startswith(row.part) else f"{row.part}: {row.error}")
    print(found.out / TABLE)
    print(found.out / PAGE)
