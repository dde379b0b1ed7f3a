"""Action Units from what a frozen compact encoder sees: the little that is learned stands on its stem.

N faces, U units in the order of `facs.UNITS`, S side in pixels. The encoder's joint feature was taught to tell classes
of expression and has let go of much of where in the face something moved; the grid of its stem, a place for every four
pixels, still has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mimica import checkpoint
from mimica.encoders.compact import CompactVision
from mimica.encoders.named import open_vision
from mimica.encoders.towers import pixels
from mimica.errors import CheckpointError
from mimica.faces.crop import FER_MARGIN
from mimica.units.detect import ORDER
from mimica.units.registry import KIND

_BATCH = 64
_CARD = ("architecture", "encoder", "data", "metrics", "limits", "licence", "date", "sha256")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadConfig:
    """The shape of what is learned: the channels of its two convolutions, its hidden width, dropout in training."""

    narrow: int = 48
    wide: int = 64
    hidden: int = 128
    dropout: float = 0.2

    def facts(self) -> dict[str, Any]:
        """The shape as a checkpoint's JSON states it."""
        return asdict(self)


class UnitHead(nn.Module):
    """Logits [N, U] of units by the grid [N, C, g, g] of a frozen encoder's stem.

    Two small convolutions, the second at half the side, then every place is seen at once: where a thing is counts.
    """

    def __init__(self, channels: int, side: int, config: HeadConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or HeadConfig()
        self.narrow = nn.Conv2d(channels, config.narrow, 1, bias=False)
        self.norm1 = nn.BatchNorm2d(config.narrow)
        self.wide = nn.Conv2d(config.narrow, config.wide, 3, 2, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(config.wide)
        self.hidden = nn.Linear(config.wide * (-(-side // 2)) ** 2, config.hidden)
        self.out = nn.Linear(config.hidden, len(ORDER))

    def forward(self, grid: Tensor) -> Tensor:
        """Logits [N, U]; their sigmoid is how strong a unit is."""
        share = self.config.dropout
        x = F.relu(self.norm1(self.narrow(grid)))
        x = F.relu(self.norm2(self.wide(x))).flatten(1)
        x = F.relu(self.hidden(F.dropout(x, share, self.training)))
        logits: Tensor = self.out(F.dropout(x, share, self.training))
        return logits


def head_on(vision: CompactVision, config: HeadConfig | None = None) -> UnitHead:
    """A head of random weights for the grid of an encoder."""
    return UnitHead(vision.config.stem[1], -(-vision.size // 4), config)


class CompactUnits:
    """Reads units with a head on the stem of a frozen compact encoder."""

    margin = FER_MARGIN
    units = ORDER

    def __init__(
        self, vision: CompactVision, head: UnitHead, *, name: str = "compact-units", device: str = "cpu",
        card: Mapping[str, Any] | None = None,
    ) -> None:  # fmt: skip
        self.name, self.device, self.size = name, device, vision.size
        self.vision, self.head = vision.to(device).eval(), head.to(device).eval()
        self.card: Mapping[str, Any] = card or {"name": name}

    def strengths(self, faces: np.ndarray) -> np.ndarray:
        """Strengths [N, U] of faces uint8 [N, S, S, 3]."""
        found = [self._strengths(faces[first : first + _BATCH]) for first in range(0, len(faces), _BATCH)]
        return np.concatenate(found) if found else np.zeros((0, len(ORDER)), np.float32)

    def _strengths(self, faces: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            seen = self.vision.grid(self.vision.normalise(pixels(faces).to(self.device)))
            strengths: np.ndarray = self.head(seen).sigmoid().float().cpu().numpy()
            return strengths


def save_compact(path: Path, head: UnitHead, *, encoder: str, identity: str, facts: Mapping[str, Any]) -> None:
    """Write a head in half precision, and all that is said of it; no weight of the encoder of this `identity`."""
    stated = {
        "kind": KIND, "architecture": "stem-head", "config": head.config.facts(),
        "units": list(ORDER), "encoder": encoder, "encoder_sha256": identity,
    }  # fmt: skip
    checkpoint.save(path, checkpoint.halved(head.state_dict()), {**stated, **facts})


def load_compact(path: Path, *, device: str = "cpu") -> CompactUnits:
    """A trained detector, frozen, with its encoder. Raises CheckpointError where they do not fit."""
    tensors, facts = checkpoint.load(path)
    where = path.with_suffix(".json")
    if lacking := sorted({"config", "units", "encoder", "encoder_sha256"} - facts.keys()):
        raise CheckpointError(f"{where} does not state {', '.join(lacking)}, as a detector of units must")
    if tuple(facts["units"]) != ORDER:
        raise CheckpointError(f"{where} states other units than {', '.join(map(str, ORDER))}; train it anew")
    vision = open_vision(facts["encoder"], identity=facts["encoder_sha256"], asked_by=path)
    if not isinstance(vision, CompactVision):
        raise CheckpointError(f"{path} was learned on a compact encoder, and {facts['encoder']} is none")
    head = head_on(vision, HeadConfig(**facts["config"]))
    checkpoint.fill(head, tensors, str(path))
    card = {"name": path.stem, **{key: facts[key] for key in _CARD if facts.get(key)}}
    return CompactUnits(vision, head, name=path.stem, device=device, card=card)
