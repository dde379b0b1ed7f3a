"""Fill a cache: every clip's faces and scenes through the frozen tower once, as training and test would see them.

N clips, T frames that are read of a clip, d joint dimension of a tower, D its width, K first layers.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica import __version__
from mimica.clips import Clip, ClipBatch
from mimica.data.clipset import ClipSet
from mimica.encoders.cache import PRECISIONS, Cache, Row
from mimica.encoders.towers import DualEncoder, VisionTower
from mimica.errors import InputError, UsageError
from mimica.recognition.model import Recogniser
from mimica.recognition.ous.model import Encoded, Ous
from mimica.recognition.registry import build
from mimica.training.ahead import prepared
from mimica.training.batches import Batches
from mimica.training.calibrate import seen_of
from mimica.training.recipes import Training

PUBLISHED_CLIPS = {"DFEW": 11_697, "FERV39k": 38_935}
"""How many labelled clips published data sets have, all folds and parts together."""

SHARD = 64
"""How many clips a shard has: no more are lost when a run is killed."""

_TOGETHER = 4
"""How many clips the tower sees at once; a shard is a multiple of it, so that what a clip goes with never changes."""

_READ_AS = {"face": "whole, to a square", "scene": "middle, a square"}
"""How a picture is brought to the size of the tower (`stored.fitted`, `stored.scene_fitted`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """How many bytes a clip takes in a cache: `plain`, as it is in test, at most; `view` in each augmented view."""

    plain: int
    view: int
    views: int

    @property
    def clip(self) -> int:
        """The bytes of a clip in all its views."""
        return self.plain + self.views * self.view


def network_of(recipe: Training, encoder: DualEncoder, clips: ClipSet) -> Ous:
    """The network whose frozen part is computed. Raises UsageError for a method whose frames have no such part."""
    if not recipe.scenes:
        raise UsageError(
            f"{recipe.method} has no features that could be kept; a cache is for a method that learns nothing inside "
            "its tower: ous, ous-paper, ous-repo"
        )
    recipe.refuse_without_scenes(clips)
    network = build(recipe.model, encoder, clips.space)
    assert isinstance(network, Ous)
    return network.eval()


def key_of(recipe: Training, network: Ous, identity: str, *, precision: str = "fp32", views: int = 0) -> dict[str, Any]:
    """All that features depend on beside the clip, in words of the command line."""
    vision, layers = network.vision, list(network.layers)
    return {
        "encoder": identity,
        "first layers": {"layers": layers, "tokens": network.config.polarity_tokens} if network.polarity else None,
        "size": vision.size,
        "normalisation": _normalised(vision),
        "fit": _READ_AS,
        "face hidden in the scene": network.hides_face,
        "sampling": recipe.sampling,
        "frames": recipe.tested,
        "frames of a view": recipe.frames,
        "augmentation": asdict(recipe.augmentation),
        "seed": recipe.loop.seed,
        "precision": precision,
        "views": views,
    }


def size_of(recipe: Training, network: Ous, *, precision: str, views: int) -> Size:
    """How many bytes a clip takes at most: clips of fewer frames than are read in test take less."""
    taken = 2 if network.config.polarity_tokens == "both" else 1
    early = len(network.layers) * taken * network.vision.width if network.polarity else 0
    frame = (2 * network.vision.dim + early) * PRECISIONS[precision].itemsize
    return Size(plain=recipe.tested * frame, view=recipe.frames * frame, views=views)


def fill(
    out: Path,
    recipe: Training,
    encoder: DualEncoder,
    clips: ClipSet,
    *,
    precision: str = "fp16",
    views: int = 0,
    device: str = "cpu",
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Cache:
    """Put every clip into the cache in `out`, as it is in test and in `views` augmented views; only what is missing.

    An augmented view is what training draws of a clip in the epoch of its number, a function of (seed, view, clip).
    `progress` is told how many clips are done in how many views, and of how many. Raises UsageError
    where the disk has no room, CheckpointError where `out` holds a cache of something else, InputError for a clip that
    cannot be read; what is finished stays.
    """
    from mimica.data.stored import digest_of  # it decodes files, which a bare machine that trains cannot

    if views < 0:
        raise UsageError(f"a cache has no augmented views or some, not {views}")
    network = network_of(recipe, encoder, clips).to(device)
    key = key_of(recipe, network, encoder.identity, precision=precision, views=views)
    cache = Cache.begun(out, key, {"mimica": __version__, "method": recipe.method, "encoder": encoder.name})
    digests = [digest_of(clips, i) for i in range(len(clips))]
    missing = {view: _missing(cache, view, digests) for view in (None, *range(views))}
    left = sum(map(len, missing.values()))
    total = len(set(digests)) * (1 + views)
    _refuse_without_room(out, missing, size_of(recipe, network, precision=precision, views=views))
    filler = _Filler(cache, recipe, network, clips, digests, device)
    done = total - left
    progress(done, total)
    for view, places in missing.items():
        for number in filler.filled(view, places):
            done += number
            progress(done, total)
    return cache


class _Filler:
    """What it takes to encode clips of a set, and to write them by the shard."""

    def __init__(
        self, cache: Cache, recipe: Training, network: Ous, clips: ClipSet, digests: Sequence[str], device: str
    ) -> None:
        self.cache, self.recipe, self.clips, self.digests = cache, recipe, clips, digests
        self.network, self.device = network, device
        self.reader = Recogniser(name="", network=network, space=clips.space, frames=0, device=device)
        self.drawn = Batches(
            clips, batch=_TOGETHER, frames=recipe.frames, seed=recipe.loop.seed, augmentation=recipe.augmentation,
            sampling=recipe.sampling, numbers=numbers_of(digests),
        )  # fmt: skip

    def filled(self, view: int | None, places: Sequence[int]) -> Iterator[int]:
        """Encode clips in a view, and tell of every few that they are done; a shard is written when it is full."""
        parts = [places[first : first + _TOGETHER] for first in range(0, len(places), _TOGETHER)]
        seen = self._plain(parts) if view is None else self._view(parts, view)
        clips, rows = list[tuple[str, str]](), list[Row]()
        for part, batch in zip(parts, seen, strict=True):
            clips += [(self.clips.names[i], self.digests[i]) for i in part]
            with torch.inference_mode():
                rows += _rows_of(self.network.encode(batch))
            if len(clips) >= SHARD or part is parts[-1]:
                self.cache.add(view, clips, rows)
                clips, rows = [], []
            yield len(part)

    def _plain(self, parts: Sequence[Sequence[int]]) -> Iterator[ClipBatch]:
        def read(part: Sequence[int]) -> list[Clip]:
            return [self._read(i) for i in part]

        return map(self.reader.batch, prepared(read, parts, ahead=2))

    def _read(self, i: int) -> Clip:
        [clip] = seen_of(self.clips, i, self.recipe.sampling, self.recipe.tested)
        if not len(clip.faces):
            raise InputError(f"{self.clips.names[i]} holds no frame; mend it or leave it out of the data")
        return clip

    def _view(self, parts: Sequence[Sequence[int]], view: int) -> Iterator[ClipBatch]:
        def draw(part: Sequence[int]) -> dict[str, Tensor]:
            return self.drawn.views(np.array(part), view)

        for found in prepared(draw, parts, ahead=2):
            views = {name: self.network.vision.normalise(of.to(self.device)) for name, of in found.items()}
            valid = torch.ones(views["face"].shape[:2], dtype=torch.bool, device=self.device)
            yield ClipBatch(valid=valid, **views)


def numbers_of(digests: Sequence[str]) -> np.ndarray:
    """By what each clip draws its views [N]: by itself, whichever clips it is among."""
    return np.array([int(digest[:8], 16) for digest in digests], dtype=np.int64)


def _rows_of(seen: Encoded) -> Iterator[Row]:
    """The features of each clip without what stands in for frames that it has not."""
    tensors = {"faces": seen.faces, "scenes": seen.scenes, **({} if seen.early is None else {"early": seen.early})}
    for i, length in enumerate(seen.valid.sum(1).tolist()):
        yield {name: whole[i, :length].cpu() for name, whole in tensors.items()}


def _missing(cache: Cache, view: int | None, digests: Sequence[str]) -> list[int]:
    """The places of clips that are not there in a view, of equal clips the first."""
    first = {digest: place for place, digest in reversed(list(enumerate(digests)))}
    return sorted(place for digest, place in first.items() if not cache.holds(view, digest))


def _refuse_without_room(out: Path, missing: dict[int | None, list[int]], size: Size) -> None:
    needed = sum(len(places) * (size.plain if view is None else size.view) for view, places in missing.items())
    free = shutil.disk_usage(out).free
    if needed > free:
        raise UsageError(
            f"the cache in {out} needs {needed / 1e9:.1f} GB more at most and its disk has {free / 1e9:.1f} GB left; "
            "choose another --out, fewer --views or --precision fp16"
        )


def _normalised(vision: VisionTower) -> list[float]:
    """What the tower makes of a picture of known shades: its statistics, whatever way it has of normalising."""
    shades = torch.linspace(0, 1, 3 * 4).view(1, 3, 2, 2)
    device = next(vision.parameters()).device if isinstance(vision, torch.nn.Module) else "cpu"
    return [round(value, 3) for value in vision.normalise(shades.to(device)).flatten().tolist()]
