"""A bank on disk: `NAME.safetensors` for its nodes, `NAME.json` for all that is said of them. Nothing is unpickled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mimica import checkpoint
from mimica.anomaly.bank import Bank, View
from mimica.anomaly.config import CifConfig
from mimica.anomaly.detector import Detector
from mimica.anomaly.features.maker import NONE, FeatureMaker, Modality, make
from mimica.anomaly.silhouette import outlines_of
from mimica.anomaly.threshold import Calibration
from mimica.anomaly.units import Units
from mimica.errors import CheckpointError, UsageError

KIND = "cif bank"
_MODALITIES: tuple[Modality, ...] = ("rgb", "xyz")


def save(detector: Detector, path: Path) -> Path:
    """Write a detector's bank; the file it lies in, `path` with `.safetensors` where that is not said.

    Raises CheckpointError where the disk is full or the folder cannot be written to.
    """
    import torch

    bank = detector.bank
    arrays: dict[str, np.ndarray] = {"centroids": bank.centroids, "parts": bank.parts}
    for modality, view in bank.views.items():
        if modality in detector.units.nodes:
            arrays[f"{modality}.units"] = detector.units.nodes[modality]
        arrays |= {f"{modality}.nodes": view.nodes, f"{modality}.hard": view.hard, f"{modality}.spread": view.spread}
    facts = {
        "kind": KIND,
        "config": bank.config.facts(),
        "features": {maker.modality: maker.facts for maker in detector.makers},
        "shots": list(bank.shots),
        "units": dict(detector.units.views),
        "calibration": [list(own) for own in detector.calibration.scores],
    }
    path = _file(path)
    checkpoint.save(path, {name: torch.from_numpy(np.ascontiguousarray(a)) for name, a in arrays.items()}, facts)
    return path


def load(
    path: Path, makers: Sequence[FeatureMaker] | None = None, *, rgb_weights: Path | None = None,
    xyz_weights: Path | None = None,
) -> Detector:  # fmt: skip
    """The detector of a bank. Its features are made anew as its JSON says, where no `makers` are given.

    Raises CheckpointError where the bank is missing, damaged, or was made with other features or other weights.
    """
    path = _file(path)
    tensors, facts = checkpoint.load(path)
    if facts.get("kind") != KIND:
        raise CheckpointError(f"{path} is a checkpoint of another kind, not a bank; see: mimica anomaly fit")
    try:
        config = CifConfig.from_facts(facts["config"])
        features: Mapping[str, Mapping[str, Any]] = facts["features"]
        if makers is None:
            makers = remade(features, rgb_weights=rgb_weights, xyz_weights=xyz_weights)
        _same(path, features, makers)
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        views: dict[Modality, View] = {
            m: View.of(arrays[f"{m}.nodes"], arrays[f"{m}.hard"], arrays[f"{m}.spread"], config.edges)
            for m in _MODALITIES
            if m in features
        }
        bank = Bank(
            config=config, views=views, centroids=arrays["centroids"], parts=arrays["parts"],
            outlines=outlines_of(arrays["parts"]), shots=tuple(facts["shots"]),
        )  # fmt: skip
        scores = tuple(tuple(float(score) for score in own) for own in facts["calibration"])
        units = Units(
            views={str(view): float(unit) for view, unit in facts["units"].items()},
            nodes={m: arrays[f"{m}.units"] for m in views if f"{m}.units" in arrays},
        )
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise CheckpointError(f"{path} is a damaged bank ({type(error).__name__}: {error}); fit it again") from None
    except UsageError as error:
        raise CheckpointError(f"{path} is a bank of another version of Mimica: {error}") from None
    return Detector(makers, bank, units, Calibration(scores=scores))


def remade(
    features: Mapping[str, Mapping[str, Any]], *, rgb_weights: Path | None = None, xyz_weights: Path | None = None
) -> list[FeatureMaker]:
    """The makers that a bank's JSON names. Raises UsageError where their weights are needed and not given."""
    names = {modality: stated["name"] for modality, stated in features.items()}
    one = next(iter(features.values()))
    options = {key: value for stated in features.values() for key, value in stated.get("options", {}).items()}
    return make(
        names.get("rgb", NONE), names.get("xyz", NONE), rgb_weights=rgb_weights, xyz_weights=xyz_weights,
        side=one["side"], cells=one["cells"], **options,
    )  # fmt: skip


def _same(path: Path, features: Mapping[str, Mapping[str, Any]], makers: Sequence[FeatureMaker]) -> None:
    given = {maker.modality: maker.facts for maker in makers}
    names = [" and ".join(each[m]["name"] for m in _MODALITIES if m in each) for each in (features, given)]
    if names[0] != names[1]:
        raise CheckpointError(f"{path} is a bank of {names[0]}, not of {names[1]}; name the same features or fit anew")
    for modality, stated in features.items():
        own = given[modality]  # type: ignore[index]
        other = sorted(key for key in {*stated, *own} if stated.get(key) != own.get(key))
        if other:
            raise CheckpointError(
                f"{path} was made with other {stated['name']} features ({', '.join(other)} differ); "
                "give the same weights and options or fit anew"
            )


def _file(path: Path) -> Path:
    return path if path.suffix == ".safetensors" else path.with_name(path.name + ".safetensors")
