"""Batches of augmented clips: order, balance, frames and draws are functions of (seed, epoch, clip).

B clips, T frames, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from mimica.data import sampling as sampled
from mimica.data.augment import Augmentation, augmented, draws, generator
from mimica.data.clipset import ClipSet, Frames
from mimica.encoders.towers import pixels
from mimica.training.ahead import prepared
from mimica.training.generated import Mixing, drawn


class Batches:
    """The batches of an epoch over a set of clips: `face` [B, T, 3, S, S] in 0 to 1, `valid` [B, T], `label` [B].

    `draw` [B] is one uniform number a clip more, for what a loss draws by itself. Where the clips have
    scenes, `scene` [B, T, 3, S, S] holds the same frames of those, by the same draws (`Augmentation.of_scene`).

    `balance` draws classes in proportion to their count to the power of 1 - balance: 0 leaves the
    data as it is, 1 makes all classes equal. A still is repeated into a clip of `frames` that moves.
    Of a share `shorten` of the clips a random number of leading frames, at least one, is valid, so that
    short windows can be read too. `sampling` is which of a clip's frames are read, one of `SAMPLINGS`.

    `ahead` batches are prepared in as many threads while the last one is learned from; order and bytes are what
    they are without. `share` (r, n) is the r-th of n processes, from 0: each has its own `batch` of every n times as
    many clips that are drawn. `numbers` [N] is by what each clip draws; its place in the set where none are given.
    `mixing` says which clips are generated, at most its share of a batch, which then has what `Mixing.told` says too.
    Raises UsageError for an unknown sampling, and InputError in the middle of an epoch for a clip that is left in a
    file and cannot be read.
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
        sampling: str = "uniform",
        ahead: int = 0,
        share: tuple[int, int] = (0, 1),
        numbers: np.ndarray | None = None,
        mixing: Mixing | None = None,
    ) -> None:
        sampled.check(sampling, frames)
        self.clips, self.batch, self.frames, self.seed = clips, batch, frames, seed
        self.shorten, self.sampling, self.ahead = shorten, sampling, ahead
        self.augmentation = augmentation or Augmentation()
        self.numbers = np.arange(len(clips)) if numbers is None else numbers
        count = np.bincount(clips.labels, minlength=len(clips.space))[clips.labels]
        self.weights = count ** -float(balance) / np.sum(count ** -float(balance))
        self.rank, self.whole, self.mixing = share[0], batch * share[1], mixing
        if mixing is not None:
            self.weights = mixing.limited(self.weights, self.whole)
        self.steps = max(1, (per_epoch or len(clips)) // self.whole)

    @property
    def shares(self) -> np.ndarray:
        """How often each class is drawn [C], summing to 1."""
        return np.bincount(self.clips.labels, weights=self.weights, minlength=len(self.clips.space))

    def batches(self, epoch: int, first: int = 0, last: int | None = None) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, in order, from batch `first` on and up to `last`; no others are computed."""
        chosen = self.picks(epoch)
        again = _repeats(chosen)

        def made(step: int) -> dict[str, Tensor]:
            first_of = step * self.whole + self.rank * self.batch
            part = slice(first_of, first_of + self.batch)
            return self._batch(chosen[part], again[part], epoch)

        return prepared(made, range(first, self.steps if last is None else last), ahead=self.ahead)

    def picks(self, epoch: int) -> np.ndarray:
        """The clips of an epoch by their places, batch after batch."""
        order = generator(self.seed, epoch, 2**63)  # no clip has this number
        if self.mixing is not None:
            return self.mixing.chosen(self.weights, order, self.steps, self.whole)
        return drawn(self.weights, self.steps * self.whole, order)

    def views(self, chosen: np.ndarray, epoch: int, again: np.ndarray | int = 0) -> dict[str, Tensor]:
        """What an epoch shows of clips by their places [B]: `face` and, where they have scenes, `scene`.

        A clip comes more than once in an epoch when classes are balanced; `again` is how often it has come before,
        and each time has its own draw.
        """
        keys = self._keys(chosen, again)
        u, places = draws(self.seed, epoch, keys), self._places(chosen, keys, epoch)
        faces = augmented(_stacked(self.clips.frames, chosen, places), u, self.augmentation)
        found = {"face": faces.expand(-1, -1, 3, -1, -1)}
        if (scenes := self.clips.scenes) is not None:
            of = zip(places, chosen, strict=True)
            beside = [sampled.beside(p, len(self.clips.frames[i]), len(scenes[i])) for p, i in of]
            behind = augmented(_stacked(scenes, chosen, beside), u, self.augmentation.of_scene())
            found["scene"] = behind.expand(-1, -1, 3, -1, -1)
        return found

    def _batch(self, chosen: np.ndarray, again: np.ndarray, epoch: int) -> dict[str, Tensor]:
        return {**self.views(chosen, epoch, again), **self._told(chosen, again, epoch)}

    def _told(self, chosen: np.ndarray, again: np.ndarray, epoch: int) -> dict[str, Tensor]:
        """What is said of clips beside what is seen of them."""
        u = draws(self.seed, epoch, self._keys(chosen, again))
        lengths = np.where(u[:, 13] < 1 - self.shorten, self.frames, 1 + np.floor(u[:, 14] * self.frames)).astype(int)
        valid = torch.arange(self.frames)[None] < torch.from_numpy(lengths)[:, None]
        labels = torch.from_numpy(self.clips.labels[chosen])
        more = {} if self.mixing is None else self.mixing.told(chosen)
        return {"valid": valid, "label": labels, "draw": torch.from_numpy(u[:, 15]), **more}

    def _keys(self, chosen: np.ndarray, again: np.ndarray | int) -> np.ndarray:
        return np.asarray(self.numbers[chosen] + (np.asarray(again, np.int64) << 32))

    def _places(self, chosen: np.ndarray, keys: np.ndarray, epoch: int) -> list[np.ndarray]:
        """Which `frames` pictures of each clip are read."""
        lengths = [len(self.clips.frames[i]) for i in chosen]
        if not sampled.by_chance(self.sampling):
            return [sampled.places(self.sampling, N, self.frames) for N in lengths]
        u = sampled.draws(self.seed, epoch, keys, self.frames)
        return [sampled.places(self.sampling, N, self.frames, v) for N, v in zip(lengths, u, strict=True)]


def _stacked(clips: Sequence[Frames], chosen: np.ndarray, places: Sequence[np.ndarray]) -> Tensor:
    """The pictures [B, T, G, S, S] in 0 to 1 at some places of the clips that are chosen."""
    return pixels(np.stack([clips[i][p] for i, p in zip(chosen, places, strict=True)]))


def _repeats(chosen: np.ndarray) -> np.ndarray:
    """How often each entry has come before in the list."""
    order = np.argsort(chosen, kind="stable")
    ranked = chosen[order]
    first = np.searchsorted(ranked, ranked)
    again = np.empty_like(order)
    again[order] = np.arange(len(order)) - first
    return again
