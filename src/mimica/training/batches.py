"""Batches of augmented clips: order, balance and draws are functions of (seed, epoch, clip).

B clips, T frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from mimica.data.augment import Augmentation, augmented, draws, generator
from mimica.data.clipset import ClipSet
from mimica.encoders.towers import pixels


class Batches:
    """The batches of an epoch over a set of clips: `face` [B, T, 3, S, S] in 0 to 1, `valid` [B, T], `label` [B].

    `draw` [B] is one uniform number a clip more, for what a loss draws by itself.

    `balance` draws classes in proportion to their count to the power of 1 - balance: 0 leaves the
    data as it is, 1 makes all classes equal. A still is repeated into a clip of `frames` that moves.
    Of a share `shorten` of the clips a random number of leading frames, at least one, is valid, so that
    short windows can be read too.
    """

    def __init__(
        self,
        clips: ClipSet,
        *,
        batch: int,
        frames: int = 1,
        balance: float = 0.5,
        shorten: float = 0.75,
        per_epoch: int | None = None,
        seed: int = 0,
        augmentation: Augmentation | None = None,
    ) -> None:
        self.clips, self.batch, self.frames, self.seed = clips, batch, frames, seed
        self.shorten = shorten
        self.augmentation = augmentation or Augmentation()
        count = np.bincount(clips.labels, minlength=len(clips.space))[clips.labels]
        self.weights = count ** -float(balance) / np.sum(count ** -float(balance))
        self.steps = max(1, (per_epoch or len(clips)) // batch)

    def batches(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, in order, from batch `first` on; those before it are not computed."""
        chosen = self._chosen(generator(self.seed, epoch, 2**63))  # no clip has this number
        again = _repeats(chosen)
        for step in range(first, self.steps):
            part = slice(step * self.batch, (step + 1) * self.batch)
            yield self._batch(chosen[part], again[part], epoch)

    def _chosen(self, order: np.random.Generator) -> np.ndarray:
        # Systematic sampling: each clip comes as often as its weight says, to within one.
        wanted = self.steps * self.batch
        points = (np.arange(wanted) + order.random()) / wanted
        shuffled = order.permutation(len(self.weights))
        ends = np.cumsum(self.weights[shuffled])
        picks = shuffled[np.minimum(np.searchsorted(ends, points), len(shuffled) - 1)]
        return order.permutation(picks)

    def _batch(self, chosen: np.ndarray, again: np.ndarray, epoch: int) -> dict[str, Tensor]:
        # A clip comes more than once in an epoch when classes are balanced; each time has its own draw.
        u = draws(self.seed, epoch, chosen + (again << 32))
        frames = np.stack([self._frames(self.clips.frames[i]) for i in chosen])
        faces = augmented(pixels(frames), u, self.augmentation)
        lengths = np.where(u[:, 13] < 1 - self.shorten, self.frames, 1 + np.floor(u[:, 14] * self.frames)).astype(int)
        valid = torch.arange(self.frames)[None] < torch.from_numpy(lengths)[:, None]
        labels = torch.from_numpy(self.clips.labels[chosen])
        draw = torch.from_numpy(u[:, 15])
        return {"face": faces.expand(-1, -1, 3, -1, -1), "valid": valid, "label": labels, "draw": draw}

    def _frames(self, clip: np.ndarray) -> np.ndarray:
        """`frames` pictures of a clip, evenly spread; the last one repeated where it is shorter."""
        T = len(clip)
        places = np.minimum(np.arange(self.frames) * max(1.0, T / self.frames), T - 1)
        return np.asarray(clip[places.astype(int)])


def _repeats(chosen: np.ndarray) -> np.ndarray:
    """How often each entry has come before in the list."""
    order = np.argsort(chosen, kind="stable")
    ranked = chosen[order]
    first = np.searchsorted(ranked, ranked)
    again = np.empty_like(order)
    again[order] = np.arange(len(order)) - first
    return again
