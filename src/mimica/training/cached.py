"""Learn and measure from a cache: batches of features in the place of batches of frames.

B clips, T frames, d joint dimension, D width of a tower, K first layers, C classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from mimica.data import sampling as sampled
from mimica.data.clipset import ClipSet
from mimica.encoders.cache import Cache, Row
from mimica.errors import CheckpointError
from mimica.recognition.ous.model import Encoded, Ous
from mimica.training.batches import Batches
from mimica.training.cache import key_of
from mimica.training.recipes import Training

_FEATURES = ("faces", "scenes", "early")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """A cache from which a recipe may learn: it was looked at, and is of this encoder, transform and sampler."""

    cache: Cache
    early: bool

    def facts(self) -> dict[str, Any]:
        """What a run states of the features that it learned from."""
        of_views = {} if not self.cache.views else {part: self.cache.key[part] for part in ("seed", "views")}
        return {"precision": self.cache.key["precision"], "views": self.cache.views, **of_views}

    def digests(self, clips: ClipSet, views: Sequence[int | None] = (None,)) -> list[str]:
        """The digest of each clip. Raises CheckpointError where clips are not there or have changed."""
        from mimica.data.stored import digest_of  # it decodes files, which a bare machine that trains cannot

        digests = [digest_of(clips, i) for i in range(len(clips))]
        lacking = [i for i, digest in enumerate(digests) if not all(self.cache.holds(view, digest) for view in views)]
        if lacking:
            name = clips.names[lacking[0]]
            why = "has changed since" if self.cache.changed(name) else "is not there"
            raise CheckpointError(
                f"{self.cache.path} lacks {len(lacking)} of {len(clips)} clips: {name} {why}; mimica cache with the "
                "same --out adds what is missing"
            )
        return digests

    def row(self, view: int | None, digest: str) -> Row:
        """The features that are read of a clip in a view."""
        row = self.cache.row(view, digest)
        return {name: row[name] for name in _FEATURES if name in row and (self.early or name != "early")}


def cached(cache: Cache, recipe: Training, network: Ous, identity: str) -> Cached:
    """A cache to learn from by a recipe. Raises CheckpointError where it was made of something else."""
    wanted = key_of(recipe, network, identity, views=cache.views)
    # Seeds of runs differ on the same features; which tokens were taken is nothing to who reads none.
    leave = ["precision", "seed", *(["first layers"] if network.polarity is None else [])]
    cache.refuse_other(wanted, mend="train as it was made, or make another with mimica cache", leave=leave)
    return Cached(cache=cache, early=network.polarity is not None)


class CachedBatches(Batches):
    """The batches of an epoch from a cache: `faces` and `scenes` [B, T, d], `early` [B, T, K, D] where it is read.

    Order, balance and what is valid are those of `Batches`. Of a cache with V augmented views an epoch takes view
    (epoch mod V), and the next one of a clip that comes again; of one without, each clip as it is.
    """

    def __init__(self, clips: ClipSet, features: Cached, **how: Any) -> None:
        super().__init__(clips, **how)
        self.features = features
        self.digests = features.digests(clips, range(features.cache.views) or (None,))

    def views(self, chosen: np.ndarray, epoch: int, again: np.ndarray | int = 0) -> dict[str, Tensor]:
        """What an epoch takes from the cache for clips by their places [B]."""
        V = self.features.cache.views
        numbers = (epoch + np.broadcast_to(again, chosen.shape)) % V if V else [None] * len(chosen)
        rows = [
            self.features.row(None if view is None else int(view), self.digests[i])
            for i, view in zip(chosen, numbers, strict=True)
        ]
        return _stacked([_taken(row, self.frames) for row in rows])

    def _batch(self, chosen: np.ndarray, again: np.ndarray, epoch: int) -> dict[str, Tensor]:
        batch = super()._batch(chosen, again, epoch)
        for name in _FEATURES:
            if name in batch:  # a frame that is not valid was not seen
                batch[name][~batch["valid"]] = 0
        return batch


def encoded(batch: Mapping[str, Tensor]) -> Encoded | None:
    """The features of a batch that has them."""
    if "faces" not in batch:
        return None
    return Encoded(faces=batch["faces"], scenes=batch["scenes"], early=batch.get("early"), valid=batch["valid"])


def cached_logits(network: Ous, clips: ClipSet, features: Cached, *, batch: int) -> np.ndarray:
    """Logits [N, C] of a set as it is in test, from its features: those of `calibrate.logits_of_set`."""
    digests, parts = features.digests(clips), []
    device = next(network.parameters()).device
    for first in range(0, len(digests), batch):
        rows = [features.row(None, digest) for digest in digests[first : first + batch]]
        lengths = torch.tensor([len(row["faces"]) for row in rows])
        T = int(lengths.max())
        whole = _stacked([_padded(row, T) for row in rows])
        valid = torch.arange(T)[None] < lengths[:, None]
        seen = encoded({name: tensor.to(device) for name, tensor in {**whole, "valid": valid}.items()})
        assert seen is not None
        with torch.inference_mode():
            parts.append(network(seen).float().cpu().numpy())
    return np.concatenate(parts)


def _taken(row: Row, T: int) -> Row:
    """T frames of those that are there, evenly spread: all, unless test reads more of them than training."""
    places = sampled.places("uniform", len(row["faces"]), T)
    return {name: part[torch.from_numpy(places)] for name, part in row.items()}


def _padded(row: Row, T: int) -> Row:
    return {name: torch.cat([part, part.new_zeros(T - len(part), *part.shape[1:])]) for name, part in row.items()}


def _stacked(rows: Sequence[Row]) -> dict[str, Tensor]:
    return {name: torch.stack([row[name] for row in rows]).float() for name in rows[0]}
