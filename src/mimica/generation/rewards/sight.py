"""Sight: one small network that sees of a drawn face how strong its units are, who it is, and which expression.

B clips, T frames, N frames of all clips, A units in the order of `facs.UNITS`, D features, C classes of `EXPRESSIONS`.

It learned from drawn actors alone (`train.py`). Two of them come with the package, of other shape, seed and people:
the one rewards, the other measures what the first has rewarded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError, unknown
from mimica.facs import UNITS
from mimica.generation.rewards.settings import Which
from mimica.labels import EXPRESSIONS

Shape = Literal["strided", "attending"]
KIND = "sight"
"""What a file of a trained sight states as its kind."""
_TOGETHER = 256
_GROUPS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class SightConfig:
    """The shape of a sight: its side in pixels, how it gathers what is where, its widths, what it has learned to tell.

    `strided` halves the side three times and keeps each place apart; `attending` is deeper, halves it twice, and looks
    where `maps` of it say.
    """

    shape: Shape = "strided"
    size: int = 48
    width: int = 24
    maps: int = 24
    hidden: int = 128
    features: int = 48
    units: tuple[int, ...] = tuple(UNITS)
    classes: tuple[str, ...] = EXPRESSIONS.names

    def __post_init__(self) -> None:
        if self.shape not in ("strided", "attending"):
            raise unknown("shape", self.shape, ("strided", "attending"))
        if self.size % 8 or self.width % _GROUPS:
            raise UsageError(f"a side of {self.size} and a width of {self.width} must each be a multiple of 8")

    def facts(self) -> dict[str, Any]:
        """The shape as a checkpoint's JSON states it."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> SightConfig:
        """The shape that a checkpoint's JSON states."""
        return cls(**{**stated, "units": tuple(stated["units"]), "classes": tuple(stated["classes"])})


class Read(NamedTuple):
    """What is read of clips: logits of units [B, T, A], unit-norm features [B, T, D], logits of classes [B, C]."""

    units: Tensor
    features: Tensor
    classes: Tensor


class Sight(nn.Module):
    """Sees units, people and expressions in clips [B, T, 3, H, W] in 0 to 1; differentiable."""

    def __init__(self, config: SightConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or SightConfig()
        attends = config.shape == "attending"
        self.trunk: _Attending | _Strided = _Attending(config) if attends else _Strided(config)
        self.hidden = nn.Linear(self.trunk.out, config.hidden)
        self.strengths = nn.Linear(config.hidden, len(config.units))
        self.expression = nn.Linear(config.hidden, len(config.classes))
        self.telling = nn.Linear(config.hidden, 1) if attends else None
        self.who = nn.Sequential(
            nn.Linear(self.trunk.out, 2 * config.features), nn.ReLU(), nn.Linear(2 * config.features, config.features)
        )

    def forward(self, clips: Tensor) -> Read:
        """All that is read of clips, in one look."""
        B, T = clips.shape[:2]
        frames = clips.flatten(0, 1).float()
        S = self.config.size
        if frames.shape[-2:] != (S, S):
            frames = F.interpolate(frames, size=(S, S), mode="bilinear", antialias=True, align_corners=False)
        seen = self.trunk((frames - 0.5) / 0.25)
        shown = self.hidden(seen).relu()
        features = F.normalize(self.who(seen).float(), dim=-1)
        classes = self.expression(self._gathered(shown.view(B, T, -1)))
        return Read(self.strengths(shown).float().view(B, T, -1), features.view(B, T, -1), classes.float())

    def _gathered(self, shown: Tensor) -> Tensor:
        """What a whole clip shows [B, H], of frames [B, T, H] in any order: its most, or its telling frames'."""
        if self.telling is None:
            return shown.amax(1)
        share: Tensor = self.telling(shown).softmax(1)
        return (share * shown).sum(1)

    def units(self, clips: Tensor) -> Tensor:
        """How strong each unit looks [B, T, A], 0 to 1; NaN for one that it did not learn."""
        found = self._over(clips, "units").sigmoid()
        if self.config.units == tuple(UNITS):
            return found
        whole = found.new_full((*found.shape[:2], len(UNITS)), torch.nan)
        whole[..., [tuple(UNITS).index(unit) for unit in self.config.units]] = found
        return whole

    def embed(self, clips: Tensor) -> Tensor:
        """Who is seen, as features of unit norm [B, T, D]: near for one person, whatever the face does."""
        return self._over(clips, "features")

    def recogniser(self, clips: Tensor) -> Tensor:
        """Probabilities of the classes of `EXPRESSIONS` [B, C] from whole clips; the order of frames is not seen."""
        return self._over(clips, "classes").softmax(-1)

    def _over(self, clips: Tensor, what: str) -> Tensor:
        together = max(1, _TOGETHER // clips.shape[1])
        return torch.cat([getattr(self(some), what) for some in torch.split(clips, together)])

    def save(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Write the sight in half precision, and the facts about it."""
        stated = {"kind": KIND, "config": self.config.facts()}
        checkpoint.save(path, checkpoint.halved(self.state_dict()), stated | dict(facts or {}))


def load_sight(path: Path | None = None, *, which: Which = "rewarding", device: str = "cpu") -> Sight:
    """The frozen sight of a file, or, without a path, the one that comes with the package to reward or to measure.

    Raises CheckpointError where the file holds none, or one of other classes or units.
    """
    path = path or checkpoint.SHIPPED / f"sight-{which}.safetensors"
    facts = checkpoint.read_facts(path)
    if facts.get("kind") != KIND:
        raise CheckpointError(f"{path} holds no sight; mimica augment judge writes one")
    config = SightConfig.from_facts(facts["config"])
    if config.classes != EXPRESSIONS.names or not set(config.units) <= set(UNITS):
        raise CheckpointError(f"{path} tells other classes or units than are known here; train it anew")
    made = Sight(config)
    checkpoint.fill(made, checkpoint.load(path)[0], str(path))
    return made.to(device).eval().requires_grad_(False)


def _conv(inner: int, outer: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.GroupNorm(_GROUPS, outer), nn.ReLU())


class _Strided(nn.Module):
    """Frames [N, 3, S, S] to what is seen [N, E]: convolutions, half the side each, then every place for itself."""

    def __init__(self, config: SightConfig) -> None:
        super().__init__()
        W = config.width
        self.layers = nn.Sequential(
            _conv(3, W, 2), _conv(W, 2 * W), _conv(2 * W, 64, 2), _conv(64, 64), _conv(64, 96, 2),
            nn.Conv2d(96, 32, 1), nn.ReLU(), nn.Flatten(),
        )  # fmt: skip
        self.out = 32 * (config.size // 8) ** 2

    def forward(self, frames: Tensor) -> Tensor:
        found: Tensor = self.layers(frames)
        return found


class _Residual(nn.Module):
    """Two convolutions whose result is added to what came in."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = _conv(channels, channels)
        self.second = nn.Sequential(nn.Conv2d(channels, channels, 3, 1, 1, bias=False), nn.GroupNorm(_GROUPS, channels))

    def forward(self, x: Tensor) -> Tensor:
        added: Tensor = self.second(self.first(x))
        return F.relu(x + added)


class _Attending(nn.Module):
    """Frames [N, 3, S, S] to what is seen [N, E]: what lies where each of some maps looks, and where that is."""

    places: Tensor

    def __init__(self, config: SightConfig) -> None:
        super().__init__()
        W, side, kept = config.width, config.size // 4, 2 * config.width
        self.layers = nn.Sequential(_conv(3, W, 2), _Residual(W), _conv(W, 64, 2), _Residual(64), _Residual(64))
        self.maps, self.kept = nn.Conv2d(64, config.maps, 1), nn.Conv2d(64, kept, 1)
        place = torch.linspace(-1, 1, side)
        self.register_buffer("places", torch.cartesian_prod(place, place), persistent=False)
        self.out = config.maps * (kept + 2)

    def forward(self, frames: Tensor) -> Tensor:
        found = self.layers(frames)
        look = self.maps(found).flatten(2).softmax(-1)
        what = torch.cat([self.kept(found).flatten(2).transpose(1, 2), self.places.expand(len(found), -1, -1)], -1)
        return torch.bmm(look, what.to(look)).flatten(1)
