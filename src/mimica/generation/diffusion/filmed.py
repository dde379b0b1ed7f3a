"""Clips to learn from as a table lists them, with the unit curves that stand in it.

N clips, T frames, A units, S side in pixels.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from torch import Tensor

from mimica.data.augment import generator
from mimica.data.clipset import ClipSet, load
from mimica.errors import InputError
from mimica.generation.diffusion.codec import Codec, coded
from mimica.generation.measured import measured_clips
from mimica.training.loop import Batch

_WORK = 79


@dataclass(frozen=True, slots=True, kw_only=True)
class Filmed:
    """Batches of clips of a table: `fresh` stretches of them an epoch, each seen `again` times; see `Practice`.

    A stretch begins at any frame that leaves enough behind it, so that stills show expressions too.
    """

    codec: Codec
    clips: ClipSet
    curves: Sequence[np.ndarray]
    fresh: int
    again: int
    batch: int
    frames: tuple[int, ...]
    seed: int = 0

    @classmethod
    def read(
        cls, spec: str, *, codec: Codec, units: Sequence[int], fresh: int, again: int, batch: int,
        frames: tuple[int, ...], seed: int = 0,
    ) -> Self:  # fmt: skip
        """The clips of the part train of `table:FILE`. A unit that the table does not have is taken to be at rest.

        Raises UsageError for data of another kind, InputError where a clip is too short or has not as many frames as
        its curves.
        """
        known, clips = measured_clips(spec), load(spec, size=codec.config.size, frames=None)
        at = [known.order.index(unit) for unit in units]
        curves = [np.nan_to_num(one[:, at]).astype(np.float32) for one in known.curves]
        if len(clips) != len(curves):
            raise InputError(f"{spec} has {len(clips)} clips to train on and {len(curves)} unit curves")
        for name, frames_, curve in zip(clips.names, clips.frames, curves, strict=True):
            if len(frames_) != len(curve) or len(curve) < min(frames):
                raise InputError(
                    f"{spec}: {name} has {len(frames_)} frames and unit curves of {len(curve)}; "
                    f"they must be as many, and {min(frames)} or more"
                )
        return cls(
            codec=codec, clips=clips, curves=curves, fresh=fresh, again=again, batch=batch, frames=frames, seed=seed
        )

    @property
    def steps(self) -> int:
        """How many batches an epoch has."""
        return self.fresh * self.again // self.batch

    def batches(self, epoch: int, first: int = 0) -> Iterator[Batch]:
        """Those of an epoch, from `first` on: `still` [B, 3, S, S], `latents` [B, T, C, h, h], `units` [B, T, A]."""
        frames = self.frames[epoch % len(self.frames)]
        frames = frames if self._long(frames) else min(self.frames)
        number = max(1, self.batch * self.frames[0] // frames)
        for step in range(first, self.steps):
            face, units = self._stretches(generator(self.seed, _WORK + epoch, step), number, frames)
            yield {"still": face[:, 0], "latents": coded(self.codec, face), "units": units}

    def some(self, number: int) -> Tensor:
        """Stretches [N, T, 3, S, S] in 0 to 1 of some clips."""
        return self._stretches(generator(self.seed, _WORK - 1, 0), number, min(self.frames))[0]

    def _long(self, frames: int) -> list[int]:
        return [i for i, curve in enumerate(self.curves) if len(curve) >= frames]

    def _stretches(self, random: np.random.Generator, number: int, frames: int) -> tuple[Tensor, Tensor]:
        faces, units = [], []
        for i in random.choice(self._long(frames), number):
            start = int(random.integers(len(self.curves[i]) - frames + 1))
            stretch = np.ascontiguousarray(self.clips.frames[i][start : start + frames])
            faces.append(torch.from_numpy(stretch).permute(0, 3, 1, 2).expand(-1, 3, -1, -1).float() / 255)
            units.append(torch.from_numpy(self.curves[i][start : start + frames]))
        return torch.stack(faces), torch.stack(units)
