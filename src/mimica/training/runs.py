"""Whole runs: pretrain an encoder, train a recogniser on it, calibrate it, and write both with their facts.

N clips, T frames, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.clips import ClipBatch
from mimica.data.clipset import ClipSet
from mimica.data.generated import Generated
from mimica.encoders.cache import Cache
from mimica.encoders.compact import CompactConfig, CompactVision
from mimica.encoders.sentence import SentenceTower
from mimica.encoders.store import channels_last, load_any, save_encoder
from mimica.encoders.towers import DualEncoder, pixels
from mimica.errors import CheckpointError, UsageError
from mimica.labels import LabelSpace
from mimica.recognition import weighed
from mimica.recognition.model import Agreed, Taught, Trainable
from mimica.recognition.ous.model import Ous
from mimica.recognition.registry import build
from mimica.recognition.store import save_recogniser
from mimica.training.adjust import shift_of
from mimica.training.batches import Batches
from mimica.training.cached import Cached, CachedBatches, cached, cached_logits, encoded
from mimica.training.calibrate import calibration, figures, logits_of_set
from mimica.training.captions import captions
from mimica.training.generated import Mixed, Mixing, mixing, refuse, stated, together, used
from mimica.training.loop import Batch, Report, train
from mimica.training.plateau import LOSS
from mimica.training.pretrain import FaceLanguage
from mimica.training.processes import Processes, processes
from mimica.training.recipes import Pretraining, Training
from mimica.training.results import made_with, selection, write_results

if TYPE_CHECKING:
    from mimica.recognition.registry import Learnt


_CALLED = {"generated": "generated clips"}
"""What facts are called where a run is resumed with others."""


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

    `held` is only measured on after each epoch, over its own classes, and never learned from. `start` is an encoder
    whose weights are begun with, one of greys perhaps to read colour; what `teachers`, other encoders, read in each
    face on average is learned beside its label. Raises CheckpointError for a start of another shape.
    """
    if processes().number > 1:  # the norms of its encoder would each see their own share of a batch
        raise UsageError("pretraining runs in one process; start it without a launcher")
    if recipe.loop.falling is not None:
        raise UsageError("the schedule plateau is for recognisers; pretraining follows a cosine")
    features, classes = caption_features(clips, out / "captions.safetensors")
    learner = _learner(recipe, features, classes, start, teachers)
    data = Batches(
        clips, batch=recipe.loop.batch, balance=recipe.balance, seed=recipe.loop.seed,
        augmentation=recipe.augmentation, ahead=recipe.loop.ahead,
    )  # fmt: skip

    def validate(module: nn.Module) -> Mapping[str, float]:
        return {} if held is None else figures(_zero_shot(learner, held, clips.space), held.labels)

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
    colour = isinstance(recipe.encoder, CompactConfig) and recipe.encoder.colour
    learner = FaceLanguage(
        recipe.encoder.build(), features, classes,
        smoothing=recipe.smoothing, mixup=recipe.mixup, teach=recipe.teach,
        teachers=[_teacher(path, features, classes, colour=colour) for path in teachers],
    )  # fmt: skip
    if start is None:
        learner.vision.begin()
    else:
        _start(learner, start)
    channels_last(learner.vision)
    return learner


def _start(learner: FaceLanguage, path: Path) -> None:
    vision, project, facts = load_any(path)
    wanted = learner.vision.config
    if isinstance(wanted, CompactConfig) and wanted.colour and isinstance(vision, CompactVision):
        vision = vision.coloured()
    if vision.config != wanted:
        raise CheckpointError(
            f"{path} has another shape than the recipe's encoder; start from one that this recipe made"
        )
    learner.copy(vision, project, facts["log_scale"])


def _teacher(path: Path, features: Tensor, classes: list[int], *, colour: bool) -> FaceLanguage:
    vision, project, facts = load_any(path)
    if colour and isinstance(vision, CompactVision):
        vision = vision.coloured()
    if colour != getattr(vision.config, "colour", False):  # it looks at the pictures as they are made for the learner
        raise CheckpointError(f"{path} reads {'greys' if colour else 'colour'} and what it is to teach does not")
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
    """A recogniser with the cross-entropy of its logits as loss (DuSE, eq. 1), adjusted by a `shift` [C] of them.

    A network that says itself what it is taught by has that loss instead. Batches with generated clips have a shift of
    their own, `mixed`, since classes are drawn otherwise in them.
    """

    shift: Tensor
    mixed: Tensor

    def __init__(self, network: Learnt, shift: Tensor, agreed: Agreed, mixed: Tensor | None = None) -> None:
        super().__init__()
        self.network, self.agreed = network, agreed
        self.register_buffer("shift", shift)
        self.register_buffer("mixed", shift if mixed is None else mixed)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        labels, weight = batch.get("shares", batch["label"]), batch.get("weight")
        shift = self.shift if weight is None else self.mixed
        how: dict[str, Any] = {"shift": shift, "agreed": self.agreed, "weight": weight}
        if (seen := encoded(batch)) is not None:
            assert isinstance(self.network, Ous)
            return self.network.taught(seen, labels, **how)
        views = {name: self.network.vision.normalise(batch[name]) for name in ("face", "scene") if name in batch}
        clips = ClipBatch(valid=batch["valid"], **views)
        if isinstance(self.network, Taught):
            return self.network.taught(clips, labels, **how)
        logits = self.network(clips)
        loss = weighed.cross_entropy(logits + shift, labels, weight)
        return {"loss": loss, "accuracy": weighed.accuracy(logits, labels)}


def train_recogniser(
    recipe: Training, encoder: DualEncoder, clips: ClipSet, *, out: Path, held: ClipSet | None = None,
    test: ClipSet | None = None, generated: Generated | None = None, cache: Path | None = None, resume: bool = False,
    report: Report = lambda row: None,
) -> Path:  # fmt: skip
    """Train a method on a frozen encoder; gives the path of `out/METHOD-ENCODER.safetensors`.

    `held` is measured on after each epoch, and temperature and threshold are fitted on it; without it they stay at 1
    and 0. The epoch that is kept is the best on `held`, or on `test`, or the last, as `recipe.select_on` says, and the
    last where nothing is held; `out/results.json` and the checkpoint's facts tell which. A method with nothing to learn
    is only calibrated. The main one of several processes writes. With a `cache` its features are learned from and
    measured on after each epoch, in the place of frames, which calibrate. `generated` clips are learned from as the
    recipe's mixture says. Raises UsageError where a recipe selects on `test` and none is given, or where generated
    clips do not go with it, CheckpointError for a cache of something else.
    """
    generated = generated if recipe.mixture.share else None
    _refuse_parts(recipe, clips, held, test, generated)
    torch.manual_seed(recipe.loop.seed)
    network = build(recipe.model, encoder, clips.space)
    features = None if cache is None else _cached(cache, recipe, network, encoder.identity)
    all_of_us = processes()
    selected_on = "last" if held is None and recipe.select_on == "validation" else recipe.select_on
    chosen: dict[str, Any] = {}
    if any(weight.requires_grad for weight in network.parameters()):
        data = _data(recipe, clips, generated, all_of_us, features)
        measured = test if selected_on == "test" else held
        same = _kept_as(features) | stated(generated, recipe.mixture)
        how: dict[str, Any] = {"select": selected_on != "last", "out": out, "resume": resume, "report": report}
        epoch = _fit(network, recipe, clips, measured, all_of_us, data, features, encoder.identity, same, **how)
        chosen = selection(selected_on, epoch, by_loss=recipe.loop.falling is not None) | same | used(generated, data)
    path = out / f"{recipe.method}-{Path(encoder.name).stem}.safetensors"
    if all_of_us.main:
        parts = {"train": clips, "validation": held, "test": test}
        _write(path, network, encoder, recipe, parts, chosen, all_of_us.number)
    return path


def _refuse_parts(
    recipe: Training, clips: ClipSet, held: ClipSet | None, test: ClipSet | None, generated: Generated | None
) -> None:
    if recipe.select_on == "test" and test is None:
        raise UsageError("there are no clips of a part test to select on; leave out --select-on test")
    recipe.refuse_without_scenes(clips, held, test, None if generated is None else generated.clips)
    if generated is not None:
        refuse(recipe, clips, generated, recipe.loop.batch * processes().number)


def _fit(
    network: Learnt, recipe: Training, clips: ClipSet, measured: ClipSet | None,
    all_of_us: Processes, data: Batches | Mixed, features: Cached | None, identity: str, also: Mapping[str, Any],
    *, select: bool, **how: Any,
) -> int:  # fmt: skip
    """Train a network, and give the epoch whose weights it holds: the best as `measured` after each, or the last."""

    def validate(module: nn.Module) -> Mapping[str, float]:
        if measured is None:
            return {}
        logits, truth = _logits(network, measured, recipe, all_of_us, features), measured.labels
        if recipe.loop.falling is None:
            return figures(logits, truth)
        loss = nn.functional.cross_entropy(torch.from_numpy(logits), torch.from_numpy(truth))
        return {**figures(logits, truth), LOSS: float(loss)}

    if recipe.loop.falling is not None and measured is None:
        raise UsageError(
            "the schedule plateau follows the loss on clips held out, and there are none; give clips the part "
            "validation, or choose --schedule cosine"
        )
    same = _same(recipe, clips) | {
        "encoder": identity,
        **{_CALLED.get(name, name): fact for name, fact in also.items()},
    }
    if measured is not None and select:
        same["data to select on"] = dict(measured.manifest)
    real, both = (data.real, data.both) if isinstance(data, Mixed) else (data, data)
    shifts = [shift_of(of.shares, recipe.adjust) for of in (real, both)]
    learner = _Learner(network, shifts[0], all_of_us.agreed, shifts[1])
    return train(learner, data, recipe.loop, facts=same, validate=validate, select=select, **how)


def _write(
    path: Path, network: Learnt, encoder: DualEncoder, recipe: Training, given: Mapping[str, ClipSet | None],
    chosen: Mapping[str, Any], processes: int,
) -> None:  # fmt: skip
    """Calibrate a network and write it with its facts, and what the run came to if it was one."""
    parts = {part: clips for part, clips in given.items() if clips is not None}
    facts = {**_facts(recipe, parts["train"], processes), **chosen}
    read = {"frames": recipe.longest, "window": recipe.frames, "mirrored": recipe.mirrored}
    found = _calibrated(network.eval(), parts.get("validation"), recipe)
    save_recogniser(path, network, encoder=encoder, facts=facts | read | found)
    if chosen:
        data = {part: dict(clips.manifest) for part, clips in parts.items()}
        made_of = {"encoder": encoder.name, "encoder_sha256": encoder.identity, "seed": recipe.loop.seed, "data": data}
        write_results(path.parent, {"model": path.name, **facts, **made_of})


def _logits(
    network: Learnt, measured: ClipSet, recipe: Training, all_of_us: Processes, features: Cached | None
) -> np.ndarray:
    """Logits [N, C] of clips, of which each process reads its share."""

    def read(share: ClipSet) -> np.ndarray:
        batch = min(64, 2 * recipe.loop.batch)  # without gradients twice as many fit
        if features is not None:
            assert isinstance(network, Ous)
            return cached_logits(network, share, features, batch=batch)
        return logits_of_set(network, share, sampling=recipe.sampling, frames=recipe.tested, batch=batch)

    places = range(all_of_us.rank, len(measured), all_of_us.number)
    with all_of_us.together():
        share = measured if all_of_us.number == 1 else measured.taken(places)
        mine = read(share) if len(share) else np.zeros((0, len(share.space)), np.float32)
    found = np.zeros((len(measured), len(measured.space)), np.float32)
    for rank, part in enumerate(all_of_us.gathered(mine)):
        found[rank :: all_of_us.number] = part
    return found


def _data(
    recipe: Training, clips: ClipSet, generated: Generated | None, all_of_us: Processes, features: Cached | None
) -> Batches | Mixed:
    real = _batches(recipe, clips, all_of_us, features)
    if generated is None:
        return real
    both = _batches(
        replace(recipe, per_epoch=recipe.per_epoch or len(clips)), together(clips, generated), all_of_us, features,
        mixing(clips, generated, recipe.mixture),
    )  # fmt: skip
    loop = recipe.loop
    return Mixed(real, both, epochs=loop.epochs, accumulate=loop.accumulate, mixture=recipe.mixture)


def _batches(
    recipe: Training, clips: ClipSet, all_of_us: Processes, features: Cached | None, mixing: Mixing | None = None
) -> Batches:
    made = Batches if features is None else partial(CachedBatches, features=features)
    return made(
        clips, batch=recipe.loop.batch, frames=recipe.frames, balance=recipe.balance, shorten=recipe.shorten,
        per_epoch=recipe.per_epoch, seed=recipe.loop.seed, augmentation=recipe.augmentation,
        sampling=recipe.sampling, ahead=recipe.loop.ahead, share=(all_of_us.rank, all_of_us.number), mixing=mixing,
    )  # fmt: skip


def _kept_as(features: Cached | None) -> dict[str, Any]:
    """What a run that learns from a cache states of it."""
    return {} if features is None else {"cache": features.facts()}


def _cached(path: Path, recipe: Training, network: Learnt, identity: str) -> Cached:
    if not isinstance(network, Ous):
        raise UsageError(f"{recipe.method} learns from frames and not from a cache; leave out --cache")
    return cached(Cache.opened(path), recipe, network, identity)


def _calibrated(network: Trainable, held: ClipSet | None, recipe: Training) -> dict[str, Any]:
    """The calibration, or why there is none: a machine that trains may lack what fits and degrades."""
    try:
        return calibration(network, held, mirrored=recipe.mirrored, sampling=recipe.sampling, frames=recipe.tested)
    except ModuleNotFoundError as error:
        return calibration(network, None) | {
            "uncalibrated": f"{error.name} was not installed; mimica calibrate fits it"
        }


def _zero_shot(learner: FaceLanguage, clips: ClipSet, space: LabelSpace) -> np.ndarray:
    """Logits [N, C] of one-frame clips over their own classes, which are some of the `space` that was learned."""
    found, own = [], [space.index(name) for name in clips.space.names]
    with torch.inference_mode():
        for first in range(0, len(clips), 256):
            faces = np.stack([f[0] for f in clips.frames[first : first + 256]])
            images = pixels(faces).expand(-1, 3, -1, -1).to(learner.project.weight.device)
            found.append(learner.log_probabilities(learner.vision.normalise(images))[:, own].cpu().numpy())
    return np.concatenate(found)


def _same(recipe: Pretraining | Training, clips: ClipSet) -> dict[str, Any]:
    """What a run depends on beside its loop: to resume it, all of this must be what it was."""
    stated = recipe.facts()
    stated.pop("loop")
    return {**stated, "data": dict(clips.manifest), "label space": clips.space.facts()}


def _facts(recipe: Pretraining | Training, clips: ClipSet, processes: int = 1) -> dict[str, Any]:
    return {"recipe": recipe.facts(), "data": dict(clips.manifest), **made_with(processes)}
