"""Real and generated clips together: how many of each a batch has, what each counts, and when real ones are alone.

N clips of which G are generated, B clips of a batch, C classes. Real clips come first in a set of both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from mimica.data.clipset import ClipSet
from mimica.data.generated import Generated
from mimica.data.joined import of_one_kind
from mimica.errors import UsageError

if TYPE_CHECKING:
    from mimica.training.batches import Batches
    from mimica.training.recipes import Training


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """How generated clips are learned from beside real ones; without any it says nothing.

    `share` is the most of a batch that they are, 0 for none of them; `weight` how much one counts in the loss where a
    real clip counts 1; `real_last` the share of all steps, at the end, that learn from real clips alone.
    """

    share: float = 0.5
    weight: float = 0.7
    real_last: float = 0.2

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 0.5:
            raise UsageError(f"generated clips are 0 to 0.5 of a batch, not {self.share:g}")
        if not 0 < self.weight <= 1:
            raise UsageError(f"a generated clip counts above 0 and at most 1, as a real one, not {self.weight:g}")
        if not 0 <= self.real_last < 1:
            raise UsageError(f"the share of steps with real clips alone is from 0 to below 1, not {self.real_last:g}")

    def mixed(self, steps: int) -> int:
        """How many of all steps learn from both, before those of real clips alone."""
        return steps - round(self.real_last * steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixing:
    """Which clips of a set of both are generated [N], what each counts [N], and its label over the classes [N, C].

    `shares` is None where all labels are plain; `share` is the most of a batch that may be generated.
    """

    generated: np.ndarray
    weight: np.ndarray
    shares: np.ndarray | None
    share: float

    def limited(self, weights: np.ndarray, whole: int) -> np.ndarray:
        """How often each clip is drawn [N] as a set of its own would have it, but for the most that are generated."""
        most, drawn = int(self.share * whole) / whole, weights[self.generated].sum()
        if drawn <= most:
            return weights
        return np.asarray(weights * np.where(self.generated, most / drawn, (1 - most) / (1 - drawn)))

    def chosen(self, weights: np.ndarray, order: np.random.Generator, steps: int, whole: int) -> np.ndarray:
        """The clips of an epoch of `steps` batches of `whole` clips, by their places [steps x whole].

        Generated clips are dealt out evenly, over batches and within each, so that every process has its share.
        """
        wanted, most = steps * whole, int(self.share * whole)
        number = min(int(wanted * weights[self.generated].sum() + order.random()), steps * most)
        made, real = np.flatnonzero(self.generated), np.flatnonzero(~self.generated)
        of_made = made[drawn(weights[made] / weights[made].sum(), number, order)]
        of_real = real[drawn(weights[real] / weights[real].sum(), wanted - number, order)]
        each = order.permutation(np.diff(np.arange(steps + 1) * number // steps))
        places = np.zeros((steps, whole), dtype=bool)
        for batch, k in zip(places, each, strict=True):
            batch[np.arange(k) * whole // max(k, 1)] = True
        picks = np.empty(wanted, dtype=of_real.dtype)
        picks[places.ravel()], picks[~places.ravel()] = of_made, of_real
        return picks

    def told(self, chosen: np.ndarray) -> dict[str, Tensor]:
        """What is said of clips by their places [B]: `weight` [B], and `shares` [B, C] if labels are not plain."""
        found = {"weight": torch.from_numpy(self.weight[chosen]).float()}
        if self.shares is not None:
            found["shares"] = torch.from_numpy(self.shares[chosen]).float()
        return found


def drawn(weights: np.ndarray, wanted: int, order: np.random.Generator) -> np.ndarray:
    """So many places of clips, shuffled, each as often as its weight of all, 1, says to within one: systematic."""
    points = (np.arange(wanted) + order.random()) / max(wanted, 1)
    shuffled = order.permutation(len(weights))
    ends = np.cumsum(weights[shuffled])
    picks = shuffled[np.minimum(np.searchsorted(ends, points), len(shuffled) - 1)]
    return np.asarray(order.permutation(picks))


def together(real: ClipSet, generated: Generated) -> ClipSet:
    """Real clips and after them generated ones, as one set; grey pictures beside coloured ones have three channels."""
    made = generated.clips
    scenes = None if real.scenes is None or made.scenes is None else [*real.scenes, *made.scenes]
    return replace(
        real, frames=of_one_kind([*real.frames, *made.frames]), labels=np.concatenate([real.labels, made.labels]),
        scenes=scenes, names=[*real.names, *made.names], groups=None,
    )  # fmt: skip


def mixing(real: ClipSet, generated: Generated, mixture: Mixture) -> Mixing:
    """What `Batches` of both are told of each clip."""
    N, G = len(real), len(generated.clips)
    weight = np.concatenate([np.ones(N), np.full(G, mixture.weight)])
    shares = None
    if generated.shares is not None:
        shares = np.concatenate([np.eye(len(real.space))[real.labels], generated.shares])
    return Mixing(generated=np.arange(N + G) >= N, weight=weight, shares=shares, share=mixture.share)


class Mixed:
    """The batches of a run: of `both` up to batch `mixed` of all, and of `real` clips from there on.

    Each epoch has as many as one of real clips, so that runs with and without generated ones take the same steps.
    """

    def __init__(self, real: Batches, both: Batches, *, epochs: int, accumulate: int, mixture: Mixture) -> None:
        self.real, self.both, self.steps, self.epochs = real, both, real.steps, epochs
        self.accumulate, self.each = accumulate, real.steps // accumulate
        self.mixed = mixture.mixed(epochs * self.each)

    def of_both(self, epoch: int) -> int:
        """How many batches of an epoch are of both, from its first on."""
        steps = min(max(self.mixed - epoch * self.each, 0), self.each)
        return self.steps if steps == self.each else steps * self.accumulate

    def batches(self, epoch: int, first: int = 0) -> Iterator[dict[str, Tensor]]:
        """The batches of one epoch, in order, from batch `first` on; those of both have `weight`."""
        until = self.of_both(epoch)
        if first < until:
            yield from self.both.batches(epoch, first, until)
        if until < self.steps:
            yield from self.real.batches(epoch, max(first, until))

    def drawn(self) -> np.ndarray:
        """How often each generated clip [G] comes in the whole run."""
        how = self.both.mixing
        assert how is not None
        count = np.zeros(len(how.generated), dtype=int)
        for epoch in range(self.epochs):
            picks = self.both.picks(epoch)[: min(self.of_both(epoch), self.each * self.accumulate) * self.both.whole]
            count += np.bincount(picks, minlength=len(count))
        return np.asarray(count[how.generated])


def stated(generated: Generated | None, mixture: Mixture) -> dict[str, Any]:
    """What a run depends on of generated clips: which they are and how they are mixed in; nothing where none are."""
    return {} if generated is None else {"generated": {**generated.facts(), **asdict(mixture)}}


def used(generated: Generated | None, data: Batches | Mixed) -> dict[str, Any]:
    """By class, how many generated clips a run learned from, and how often they came; nothing where none are."""
    if generated is None or not isinstance(data, Mixed):
        return {}
    names, labels, times = generated.clips.space.names, generated.clips.labels, data.drawn()
    clips = np.bincount(labels[times > 0], minlength=len(names)).tolist()
    often = np.bincount(labels, weights=times, minlength=len(names)).astype(int).tolist()
    told = {"clips": dict(zip(names, clips, strict=True)), "times": dict(zip(names, often, strict=True))}
    return {"generated_used": told}


def refuse(recipe: Training, real: ClipSet, generated: Generated, whole: int) -> None:
    """Raise UsageError where generated clips cannot be learned from beside these real ones, in batches of `whole`."""
    names, theirs = real.space.names, generated.clips.space.names
    if names != theirs:
        raise UsageError(
            f"the generated clips are of the classes {', '.join(theirs)}, and the data has {', '.join(names)}; "
            "generate them for the classes of the data"
        )
    if int(recipe.mixture.share * whole) < 1:
        raise UsageError(
            f"a share of {recipe.mixture.share:g} leaves no room for a generated clip in a batch of {whole}; give a "
            "larger --batch"
        )
    if recipe.loop.falling is not None and recipe.mixture.real_last:
        raise UsageError(
            "the schedule plateau ends where validation stands still, so that nobody knows when its last steps on real "
            "clips alone are due; choose --schedule cosine, or --real-last 0"
        )
