"""Read the test clips of one fold, and keep what was read, so that an ended run goes on where it stopped.

N clips, C classes, d the width of video features, V views of a clip.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from mimica import __version__, checkpoint
from mimica.clips import Clip
from mimica.data.clipset import ClipSet
from mimica.data.files import load_files
from mimica.data.sampling import seen
from mimica.errors import CheckpointError, InputError
from mimica.experiments.predictions import Predictions
from mimica.experiments.protocol import Planned
from mimica.metrics.calibration import temperature_at
from mimica.recognition.model import Recogniser, Staged
from mimica.recognition.registry import load
from mimica.training.ahead import prepared
from mimica.training.calibrate import as_clip, judged, seen_of

_BATCH = 64
_KEPT_EVERY = 512
"""So many clips are read between two times that they are kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sampled:
    """How a model reads a test clip: `frames` frames chosen by `sampling`, of at most `kept` of the file, in V views.

    `kept` None is all frames of the file.
    """

    sampling: str
    frames: int
    kept: int | None
    views: int

    def check(self) -> None:
        """Raise UsageError where there is no such sampling or it has no such views."""
        seen(self.sampling, self.frames, self.frames, views=self.views)


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What was read of the first N clips of a fold: logits [N, C], features [N, d], quality [N], and what failed.

    `of` says what the features are: `feature`, what logits are made of, or `logits` for a network that shows none.
    """

    logits: torch.Tensor
    features: torch.Tensor
    quality: torch.Tensor
    errors: dict[int, str]
    of: str


def sampled(facts: Any, views: int) -> Sampled:
    """How a model reads test clips, by what its training stated: as it was measured while it trained.

    Evenly spread frames are chosen among `kept` of the file for one view, and among all of them for more.
    """
    recipe = facts.get("recipe")
    sampling = recipe.get("sampling", "uniform") if isinstance(recipe, dict) else "uniform"
    if sampling == "uniform":
        return Sampled(
            sampling=sampling, frames=facts["frames"], kept=facts["frames"] if views == 1 else None, views=views
        )
    return Sampled(sampling=sampling, frames=facts.get("window") or facts["frames"], kept=None, views=views)


def measured(
    tested: Planned,
    keep: Path,
    *,
    views: int = 1,
    device: str = "cpu",
    progress: Callable[[int], None] = lambda done: None,
) -> Measured:
    """Read each test clip of a fold once, all frames of it at the model's choice, in `views` views averaged by logits.

    What is read is kept in the file `keep`, and not read again unless the model or the clips have changed, which are
    known by name, label, and when their folder or file last changed. A clip that cannot be read is left
    without logits, with the reason in `errors`, and tried again the next time.
    """
    how = sampled(tested.facts, views)
    same = _same(tested, how)
    found, N = _kept(keep, same), len(tested.items)
    if found is None or len(found.logits) < N or found.errors:
        recogniser = load(str(tested.model), device=device)
        clips = load_files(  # that stay in their files: none is decoded before its turn
            tested.items,
            size=recogniser.size,
            frames=how.kept,
            space=tested.space,
            origin=tested.name,
            stored=True,
            scenes=recogniser.reads_scenes,
        )
        if found is not None and found.errors:
            found = _mended(found, _read(recogniser, clips, sorted(found.errors), how))
            _keep(keep, same, found)
        while found is None or len(found.logits) < N:
            done = 0 if found is None else len(found.logits)
            progress(done)
            places = range(done, min(done + _KEPT_EVERY, N))
            part = _read(recogniser, clips, places, how, _beyond(done, progress))
            found = part if found is None else _longer(found, part)
            _keep(keep, same, found)
    progress(N)
    return found


def predictions(tested: Planned, found: Measured) -> Predictions:
    """The calibrated probabilities of a fold's clips, by the temperature that its model states."""
    facts, space = tested.facts, tested.space
    over = temperature_at(facts["temperature"], facts.get("temperature_slope", 0.0), found.quality.numpy())
    return Predictions(
        labels=space.names,
        clips=tuple(tested.clip(item) for item in tested.items),
        folds=(tested.name,) * len(tested.items),
        groups=tuple(item.group for item in tested.items),
        truth=np.array([item.label for item in tested.items]),
        probabilities=(found.logits.double() / torch.from_numpy(over)[:, None]).softmax(-1).numpy(),
        errors=tuple(found.errors.get(i, "") for i in range(len(tested.items))),
    )


def _beyond(before: int, progress: Callable[[int], None]) -> Callable[[int], None]:
    return lambda done: progress(before + done)


def _read(
    recogniser: Recogniser,
    clips: ClipSet,
    places: Sequence[int],
    how: Sampled,
    progress: Callable[[int], None] = lambda done: None,
) -> Measured:
    errors: dict[int, str] = {}

    def read(i: int) -> list[Clip]:
        try:
            views = seen_of(clips, i, how.sampling, how.frames, how.views)
        except InputError as error:
            errors[i] = str(error)
            nothing = np.zeros((1, recogniser.size, recogniser.size, 3), np.uint8)
            return [as_clip(nothing, nothing)] * how.views
        return [judged(clip) for clip in views] if recogniser.temperature_slope else views

    at_once, done, parts = max(1, _BATCH // how.views), 0, []
    made = prepared(read, places, ahead=at_once, threads=2)
    while part := list(islice(made, at_once)):
        parts.append(_embedded(recogniser, part))
        done += len(part)
        progress(done)
    logits, features, quality = (torch.cat(column) for column in zip(*parts, strict=True))
    lost = [k for k, i in enumerate(places) if i in errors]
    logits[lost] = features[lost] = float("nan")
    of = "feature" if isinstance(recogniser.network, Staged) else "logits"
    return Measured(logits=logits, features=features, quality=quality, errors=errors, of=of)


def _embedded(recogniser: Recogniser, part: Sequence[list[Clip]]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Logits, features and quality of clips, each the mean over its views."""
    found = recogniser.embedded([clip for views in part for clip in views])
    logits, features = (column.float().cpu().reshape(len(part), -1, column.shape[-1]).mean(1) for column in found)
    quality = [np.mean([np.median(clip.quality) for clip in views]) for views in part]
    return logits, features, torch.tensor(np.array(quality))


def _same(tested: Planned, how: Sampled) -> dict[str, Any]:
    """What reading depends on: with another of these it is begun anew. Calibration is not among them."""
    facts = tested.facts
    digest = hashlib.sha256()
    for item in tested.items:
        try:
            stat = item.path.stat()
        except OSError as error:
            raise InputError(f"cannot look at {item.path}: {error.strerror}") from None
        digest.update(f"{tested.clip(item)}\t{item.label}\t{stat.st_mtime_ns}\t{stat.st_size}\n".encode())
    told = {name: facts.get(name) for name in ("sha256", "encoder_sha256", "config", "log_scale", "mirrored")}
    return {
        "kind": "readings of a fold", "mimica": __version__, "model": told, "clips": digest.hexdigest(),
        "sampling": [how.sampling, how.frames, how.kept, how.views], "judged": bool(facts.get("temperature_slope")),
    }  # fmt: skip


def _kept(file: Path, same: dict[str, Any]) -> Measured | None:
    """What was kept before, if it is of the same model and clips."""
    if not file.is_file():
        return None
    try:
        tensors, facts = checkpoint.unpack(file)
    except CheckpointError:
        return None  # not ours, or of another format: read anew
    if facts.get("same") != same:
        return None
    return Measured(errors={int(i): why for i, why in facts["errors"].items()}, of=facts["of"], **tensors)


def _keep(file: Path, same: dict[str, Any], found: Measured) -> None:
    tensors = {name: getattr(found, name) for name in ("logits", "features", "quality")}
    checkpoint.pack(file, tensors, {"same": same, "errors": found.errors, "of": found.of})


def _mended(before: Measured, again: Measured) -> Measured:
    """With those that could not be read as they are read now."""
    places = sorted(before.errors)
    columns = {name: getattr(before, name).clone() for name in ("logits", "features", "quality")}
    for name, column in columns.items():
        column[places] = getattr(again, name)
    return Measured(errors=again.errors, of=again.of, **columns)


def _longer(before: Measured, after: Measured) -> Measured:
    return Measured(
        logits=torch.cat([before.logits, after.logits]), features=torch.cat([before.features, after.features]),
        quality=torch.cat([before.quality, after.quality]), errors=before.errors | after.errors, of=before.of,
    )  # fmt: skip
