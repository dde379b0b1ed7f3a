"""Whole runs: pretrain an encoder, train a recogniser on it, calibrate it, and write both with their facts.

N clips, T frames, C classes.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mimica import __version__, checkpoint
from mimica.clips import ClipBatch
from mimica.data.clipset import ClipSet
from mimica.encoders.sentence import SentenceTower
from mimica.encoders.store import channels_last, load_any, save_encoder
from mimica.encoders.towers import DualEncoder, pixels
from mimica.errors import CheckpointError
from mimica.recognition.baselines.probe import Probe
from mimica.recognition.duse.model import Duse
from mimica.recognition.model import Trainable
from mimica.recognition.registry import build
from mimica.recognition.store import save_recogniser
from mimica.training.batches import Batches
from mimica.training.calibrate import calibration, figures, logits_of_set
from mimica.training.captions import captions
from mimica.training.loop import Batch, Report, train
from mimica.training.pretrain import FaceLanguage
from mimica.training.recipes import Pretraining, Training


def pretrain(
    recipe: Pretraining,
    clips: ClipSet,
    *,
    out: Path,
    held: ClipSet | None = None,
    start: Path | None = None,
    teachers: Sequence[Path] = (),
    resume: bool = False,
    report: Report = lambda row: None,
) -> Path:
    """Pretrain an encoder on labelled faces; gives the path of `out/compact.safetensors`, by its architecture.

    `held` is only measured on after each epoch, never learned from. `start` is an encoder whose weights
    are begun with; what `teachers`, other encoders, read in each face on average is learned beside its
    label. Raises CheckpointError for a start of another shape.
    """
    features, classes = caption_features(clips, out / "captions.safetensors")
    learner = _learner(recipe, features, classes, start, teachers)
    data = Batches(
        clips, batch=recipe.loop.batch, balance=recipe.balance, seed=recipe.loop.seed,
        augmentation=recipe.augmentation, ahead=recipe.loop.ahead,
    )  # fmt: skip

    def validate(module: nn.Module) -> Mapping[str, float]:
        return {} if held is None else figures(_zero_shot(learner, held), held.labels)

    began = {"start": None if start is None else _digest(start), "teachers": [_digest(path) for path in teachers]}
    same = _same(recipe, clips) | began
    train(learner, data, recipe.loop, out=out, resume=resume, facts=same, validate=validate, report=report)
    path = out / f"{learner.vision.architecture}.safetensors"
    found = dict(validate(learner.eval()))
    facts = _facts(recipe, clips) | began | {"log_scale": float(learner.log_scale.detach()), "metrics": found}
    save_encoder(path, learner.vision, learner.project.weight, facts)
    return path


def _learner(
    recipe: Pretraining, features: Tensor, classes: list[int], start: Path | None, teachers: Sequence[Path]
) -> FaceLanguage:
    torch.manual_seed(recipe.loop.seed)
    learner = FaceLanguage(
        recipe.encoder.build(), features, classes,
        smoothing=recipe.smoothing, mixup=recipe.mixup, teach=recipe.teach,
        teachers=[_teacher(path, features, classes) for path in teachers],
    )  # fmt: skip
    if start is None:
        learner.vision.begin()
    else:
        _start(learner, start)
    channels_last(learner.vision)
    return learner


def _start(learner: FaceLanguage, path: Path) -> None:
    vision, project, facts = load_any(path)
    if vision.config != learner.vision.config:
        raise CheckpointError(
            f"{path} has another shape than the recipe's encoder; start from one that this recipe made"
        )
    learner.copy(vision, project, facts["log_scale"])


def _teacher(path: Path, features: Tensor, classes: list[int]) -> FaceLanguage:
    vision, project, facts = load_any(path)
    teacher = FaceLanguage(vision, features, classes).eval().requires_grad_(False)
    teacher.copy(vision, project, facts["log_scale"])
    return teacher


def _digest(path: Path) -> str:
    return str(checkpoint.read_facts(path)["sha256"])


def caption_features(clips: ClipSet, cache: Path) -> tuple[Tensor, list[int]]:
    """Features [K, D] of every caption of the label space and their classes; the sentence encoder runs once."""
    texts, classes = (list(column) for column in zip(*captions(clips.space), strict=True))
    if cache.exists():
        tensors, facts = checkpoint.load(cache)
        if facts["captions"] == texts:
            return tensors["features"], classes
    with torch.no_grad():
        features = SentenceTower().sentences(texts)
    checkpoint.save(cache, {"features": features}, {"kind": "captions", "captions": texts})
    return features, classes


class _Learner(nn.Module):
    """A recogniser with the cross-entropy of its logits as loss (DuSE, eq. 1)."""

    def __init__(self, network: Duse | Probe) -> None:
        super().__init__()
        self.network = network

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = {name: self.network.vision.normalise(batch[name]) for name in ("face", "scene") if name in batch}
        logits = self.network(ClipBatch(valid=batch["valid"], **views))
        loss = nn.functional.cross_entropy(logits, batch["label"])
        return {"loss": loss, "accuracy": (logits.argmax(-1) == batch["label"]).float().mean()}


def train_recogniser(
    recipe: Training,
    encoder: DualEncoder,
    clips: ClipSet,
    *,
    out: Path,
    held: ClipSet | None = None,
    resume: bool = False,
    report: Report = lambda row: None,
) -> Path:
    """Train a method on a frozen encoder; gives the path of `out/METHOD-ENCODER.safetensors`.

    `held` is measured on after each epoch, and temperature and threshold are fitted on it at the end;
    without it they stay at 1 and 0. A method with nothing to learn is only calibrated.
    """
    torch.manual_seed(recipe.loop.seed)
    network = build(recipe.model, encoder, clips.space)

    def validate(module: nn.Module) -> Mapping[str, float]:
        if held is None:
            return {}
        return figures(logits_of_set(network, held, sampling=recipe.sampling, frames=recipe.tested), held.labels)

    if any(weight.requires_grad for weight in network.parameters()):
        same = _same(recipe, clips) | {"encoder": encoder.identity}
        learner = _Learner(network)
        data = _batches(recipe, clips)
        train(learner, data, recipe.loop, out=out, resume=resume, facts=same, validate=validate, report=report)
    stated = _facts(recipe, clips) | {
        "frames": recipe.longest,
        "window": recipe.frames,
        "mirrored": recipe.mirrored,
        **_calibrated(network.eval(), held, recipe),
    }
    path = out / f"{recipe.method}-{Path(encoder.name).stem}.safetensors"
    save_recogniser(path, network, encoder=encoder, facts=stated)
    return path


def _batches(recipe: Training, clips: ClipSet) -> Batches:
    return Batches(
        clips, batch=recipe.loop.batch, frames=recipe.frames, balance=recipe.balance, shorten=recipe.shorten,
        per_epoch=recipe.per_epoch, seed=recipe.loop.seed, augmentation=recipe.augmentation,
        sampling=recipe.sampling, ahead=recipe.loop.ahead,
    )  # fmt: skip


def _calibrated(network: Trainable, held: ClipSet | None, recipe: Training) -> dict[str, Any]:
    """The calibration, or why there is none: a machine that trains may lack what fits and degrades."""
    try:
        return calibration(network, held, mirrored=recipe.mirrored, sampling=recipe.sampling, frames=recipe.tested)
    except ModuleNotFoundError as error:
        return calibration(network, None) | {
            "uncalibrated": f"{error.name} was not installed; mimica calibrate fits it"
        }


def _zero_shot(learner: FaceLanguage, clips: ClipSet) -> np.ndarray:
    found = []
    with torch.inference_mode():
        for first in range(0, len(clips), 256):
            faces = np.stack([f[0] for f in clips.frames[first : first + 256]])
            images = pixels(faces).expand(-1, 3, -1, -1).to(learner.project.weight.device)
            found.append(learner.log_probabilities(learner.vision.normalise(images)).cpu().numpy())
    return np.concatenate(found)


def _same(recipe: Pretraining | Training, clips: ClipSet) -> dict[str, Any]:
    """What a run depends on beside its loop: to resume it, all of this must be what it was."""
    stated = asdict(recipe)
    stated.pop("loop")
    return {**stated, "data": dict(clips.manifest), "label space": clips.space.facts()}


def _facts(recipe: Pretraining | Training, clips: ClipSet) -> dict[str, Any]:
    return {
        "mimica": __version__,
        "recipe": asdict(recipe),
        "data": dict(clips.manifest),
        "torch": torch.__version__,
        "hardware": f"{platform.machine()}, {torch.get_num_threads()} threads",
        "date": datetime.now(UTC).date().isoformat(),
    }
