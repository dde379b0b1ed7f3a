"""What a tower is: a frozen encoder that takes prompts at every layer.

N items in a batch, n prompt tokens a layer, M prompted layers, D width of a tower, d joint dimension.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from mimica.errors import UsageError, unknown

Prompts = Sequence[Tensor]
"""One tensor a prompted layer, first layer first, each [N, n, D] or [1, n, D]."""

After = Literal["drop", "carry"]
"""What becomes of the places of prompts beyond the last prompted layer: `drop` takes them out (DuSE, eqs. 3 and 5),
`carry` keeps what came out at them as tokens like any other (MaPLe, VPT)."""

Place = Literal["start", "end"]
"""Where prompts stand in a sentence: behind its first token (CoOp, MaPLe), or behind all of it."""


class VisionTower(Protocol):
    """From pictures to joint features. `size` is the side in pixels it reads, `layers` and `width` its own."""

    size: int
    width: int
    layers: int
    dim: int

    def __call__(self, images: Tensor, prompts: Prompts = (), *, after: After = "drop") -> Tensor:
        """Features [N, d] of images [N, 3, S, S]; prompts enter layer by layer, each in the last one's place."""
        ...

    def layer_tokens(
        self, images: Tensor, prompts: Prompts = (), *, layers: Sequence[int], after: After = "drop"
    ) -> dict[int, Tensor]:
        """What comes out of the layers asked for, counted from 1, and under 0 what enters the first; no prompts."""
        ...

    def with_layers(
        self, images: Tensor, *, layers: Sequence[int], take: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Features [N, d] of images, and of the layers asked for what `take` makes of their tokens, in one pass."""
        ...

    def normalise(self, pixels: Tensor) -> Tensor:
        """Pictures as the tower wants them: from [..., 3, S, S] in 0 to 1, by its own statistics."""
        ...


class TextTower(Protocol):
    """From sentences to joint features."""

    width: int
    layers: int
    dim: int

    def __call__(
        self, sentences: Sequence[str], prompts: Prompts = (), *, after: After = "drop", place: Place = "start"
    ) -> Tensor:
        """Features [len(sentences), d]; prompts enter layer by layer, each in the last one's place."""
        ...

    def layer_tokens(
        self, sentences: Sequence[str], prompts: Prompts = (), *, layers: Sequence[int], after: After = "drop"
    ) -> dict[int, Tensor]:
        """What comes out of the layers asked for, counted from 1, and under 0 what enters the first; no prompts.

        [N, L, D] each, padded at the end to the longest sentence.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DualEncoder:
    """Both towers of one encoder, and the log of what its cosines are multiplied by.

    `name` is what it can be opened by again; `identity` a sha256 of its weights, so that what was
    learned on them can refuse others.
    """

    name: str
    vision: VisionTower
    text: TextTower
    log_scale: float
    identity: str


def step_through(
    layers: Iterable[nn.Module],
    tokens: Tensor,
    prompts: Prompts,
    *,
    at: int,
    after: After,
    run: Callable[[nn.Module, Tensor, int], Tensor],
    recompute: bool = False,
) -> Iterator[Tensor]:
    """The tokens [N, L, D] before the first layer and then after each, prompts left out of what is given.

    Prompts stand before token `at`. `run` takes a layer, what enters it and how many prompts stand in it.
    With `recompute` the backward pass runs each layer again, and only what enters it is held until then.
    """
    if after not in ("drop", "carry"):
        raise unknown("way with prompts after the last prompted layer", after, ("drop", "carry"))
    recompute = recompute and torch.is_grad_enabled()
    told = tokens[:, :0]
    yield tokens
    for i, layer in enumerate(layers):
        if i < len(prompts):
            told = prompts[i].to(tokens.dtype).expand(len(tokens), -1, -1)
        elif after == "drop":
            told = tokens[:, :0]
        n = told.shape[1]
        whole = torch.cat([tokens[:, :at], told, tokens[:, at:]], dim=1) if n else tokens
        whole = checkpoint(run, layer, whole, n, use_reentrant=False) if recompute else run(layer, whole, n)
        told = whole[:, at : at + n]
        last = at + n == whole.shape[1]
        tokens = whole[:, :at] if last else torch.cat([whole[:, :at], whole[:, at + n :]], dim=1) if n else whole
        yield tokens


def recompute(module: nn.Module, on: bool) -> None:
    """Have every tower in a module compute its layers anew in the backward pass, or no longer.

    Gradients stay what they are; far fewer activations are held, and a step takes up to half as long again.
    Raises UsageError where that is asked of a module without towers.
    """
    towers: list[Any] = [part for part in module.modules() if hasattr(part, "recompute")]
    if on and not towers:
        raise UsageError(f"{type(module).__name__} has no tower whose layers could be recomputed; leave this off")
    for tower in towers:
        tower.recompute = on


class SteppedVision(nn.Module, ABC):
    """What vision towers share whose `_steps` gives the tokens before the first layer and then after each."""

    layers: int
    recompute = False

    def layer_tokens(
        self, images: Tensor, prompts: Prompts = (), *, layers: Sequence[int], after: After = "drop"
    ) -> dict[int, Tensor]:
        """The tokens [N, 1 + L, D] that leave each layer asked for, counted from 1; 0 is what enters the first."""
        return pick(self._steps(images, prompts, after), layers, self.layers)

    def with_layers(
        self, images: Tensor, *, layers: Sequence[int], take: Callable[[Tensor], Tensor]
    ) -> tuple[Tensor, dict[int, Tensor]]:
        """Features [N, d] of images without prompts, and what `take` makes of the tokens of the layers asked for.

        One pass; of a layer's tokens [N, 1 + L, D], the class token first, no more is held than what is taken.
        """
        _refuse_beyond(layers, self.layers)
        found: dict[int, Tensor] = {}
        for number, tokens in enumerate(self._steps(images, (), "drop")):
            if number in layers:
                found[number] = take(tokens)
        return self._features(tokens), found

    @abstractmethod
    def _steps(self, images: Tensor, prompts: Prompts, after: After) -> Iterator[Tensor]: ...

    @abstractmethod
    def _features(self, tokens: Tensor) -> Tensor:
        """Features [N, d] of what leaves the last layer."""


def last_of(steps: Iterable[Tensor]) -> Tensor:
    """The tokens after the last layer."""
    for tokens in steps:  # noqa: B007
        pass
    return tokens


def pick(steps: Iterable[Tensor], layers: Sequence[int], among: int) -> dict[int, Tensor]:
    """The tokens of the layers asked for out of `among`; nothing above the highest is computed. Raises UsageError."""
    _refuse_beyond(layers, among)
    found: dict[int, Tensor] = {}
    for number, tokens in zip(range(max(layers, default=-1) + 1), steps, strict=False):
        if number in layers:
            found[number] = tokens
    return found


def _refuse_beyond(layers: Sequence[int], among: int) -> None:
    if wrong := [layer for layer in layers if not 0 <= layer <= among]:
        raise UsageError(f"there is no layer {wrong[0]}; choose from 0, what enters the first, to {among}")


def weights_identity(weights: Mapping[str, Tensor]) -> str:
    """A sha256 over names, shapes and values; the values as 32-bit floats, so that no file format matters."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        values = weights[name].detach().cpu().float().contiguous()
        digest.update(f"{name} {tuple(values.shape)}\n".encode())
        digest.update(values.numpy().data)
    return digest.hexdigest()


def freeze(module: nn.Module) -> nn.Module:
    """The same module, in evaluation mode and without gradients to its own weights."""
    return module.eval().requires_grad_(False)


class OnTowers(nn.Module):
    """What is learned on frozen towers: `vision`, and `text` where it has one, stay as they are when it trains."""

    vision: VisionTower
    text: TextTower | None

    def freeze_towers(self) -> None:
        """Take the gradients from the towers' own weights, once they are there."""
        for tower in self._towers():
            freeze(tower)

    def train(self, mode: bool = True) -> Self:
        """Training concerns what stands on the towers: they stay in evaluation mode."""
        super().train(mode)
        for tower in self._towers():
            tower.eval()
        return self

    def _towers(self) -> list[nn.Module]:
        held = (self.vision, getattr(self, "text", None))
        return [tower for tower in held if isinstance(tower, nn.Module)]


def spread(features: Tensor, valid: Tensor) -> Tensor:
    """Features [N, ...] of the valid frames of clips as [B, T, ...], zero where `valid` [B, T] has none."""
    out = features.new_zeros(*valid.shape, *features.shape[1:])
    out[valid] = features
    return out


def pixels(images: np.ndarray) -> Tensor:
    """Pictures uint8 [..., S, S, G] as a float tensor [..., G, S, S] in 0 to 1; G channels, 3 or 1."""
    return torch.from_numpy(np.ascontiguousarray(images)).movedim(-1, -3).float().div_(255)
