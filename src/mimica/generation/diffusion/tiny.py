"""The tiny generator: a face of 48 pixels moved by the strength of each unit in each frame. A preview, on a CPU.

B clips, T frames, A units, C channels and h × h places of latents, S side in pixels.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError
from mimica.facs import UNITS
from mimica.generation.diffusion.codec import STRIDE, Codec, CodecConfig, coded
from mimica.generation.diffusion.policy import Condition, Seen, along, flow_alpha_bar
from mimica.generation.diffusion.tiny_net import TinyNet, Told

SHORTEST, LONGEST = 9, 17
"""How many frames its clips may have, at 8 a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TinyConfig:
    """How large the generator is, and which units it takes, in the order of its curves.

    `gain` is by how much it is told more than is planned, where its clips are known to fall short; 1 in training.
    """

    codec: CodecConfig = field(default_factory=CodecConfig)
    look: int = 64
    width: int = 40
    told: int = 128
    units: tuple[int, ...] = tuple(UNITS)
    gain: float = 1.0

    def facts(self) -> dict[str, Any]:
        """The config as a checkpoint's JSON states it."""
        return asdict(self)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> TinyConfig:
        """The config that a checkpoint's JSON states."""
        return cls(**{**facts, "codec": CodecConfig(**facts["codec"]), "units": tuple(facts["units"])})


class Tiny:
    """The generator as a `Policy`: latents are its codec's, [B, T, C, h, h], one for each frame, the still's own zero.

    It reads no words: what a prompt says of units is in the plan's curves. Without curves it is told of no plan.
    """

    name = "tiny"
    kind: Literal["flow", "ddim"] = "flow"
    shift = 1.0
    lora_targets: tuple[str, ...] = ("qkv", "out", "conv1", "conv2", "bend")

    def __init__(self, config: TinyConfig | None = None) -> None:
        self.config = config = config or TinyConfig()
        side = config.codec.size // STRIDE
        self.codec = Codec(config.codec).eval().requires_grad_(False)
        self.network: nn.Module = TinyNet(
            channels=config.codec.channels,
            units=len(config.units),
            side=side,
            look=config.look,
            width=config.width,
            told=config.told,
        )

    @property
    def size(self) -> int:
        """The side in pixels of its stills and clips."""
        return self.config.codec.size

    def frames(self, wanted: int) -> int:
        """The number of frames nearest to that wanted, of 9 to 17."""
        return min(max(wanted, SHORTEST), LONGEST)

    def condition(
        self, images: Tensor, *, curves: Tensor | None = None, prompts: Sequence[str] | None = None, frames: int
    ) -> Condition:
        """Stills [B, 3, H, W] in 0 to 1, brought to the generator's size, and plans [B, T, A]; see `Policy`."""
        S, A, images = self.config.codec.size, len(self.config.units), images.to(self.codec.spread.device)
        if images.shape[-2:] != (S, S):
            images = F.interpolate(images, size=(S, S), mode="bilinear", antialias=True, align_corners=False)
        planned = curves is not None
        if curves is None:
            curves = images.new_zeros(len(images), frames, A)
        if curves.shape != (len(images), frames, A):
            raise UsageError(f"plans must be [{len(images)}, {frames}, {A}], got {list(curves.shape)}")
        curves = curves.to(images)
        given = images.new_full((len(images),), float(planned))
        zero = images.new_zeros(len(images), self.config.codec.channels, S // STRIDE, S // STRIDE)
        return Condition(
            tensors={"still": images, "curves": (curves * self.config.gain).clamp(max=1), "planned": given},
            anchor=zero,
            **along(curves, len(images), frames, 1),
        )  # fmt: skip

    def noise(self, condition: Condition, generator: Generator | None = None) -> Tensor:
        """Latents of pure noise [B, T, C, h, h]."""
        curves, h = condition.tensors["curves"], self.config.codec.size // STRIDE
        shape = (*curves.shape[:2], self.config.codec.channels, h, h)
        device = curves.device if generator is None else generator.device
        return torch.randn(shape, generator=generator, device=device).to(curves.device)

    def predict(self, latents: Tensor, t: Tensor, condition: Condition, *, seen: Seen = "all") -> Tensor:
        """The velocity [B, T, C, h, h] at times t [B]; what is not `seen` is as if it were not given."""
        given = condition.tensors["planned"]
        told = Told(
            still=condition.tensors["still"], curves=condition.tensors["curves"],
            seen_still=torch.full_like(given, float(seen != "nothing")), seen_plan=given * float(seen == "all"),
        )  # fmt: skip
        velocity: Tensor = self.network(latents, t, told)
        return velocity

    def alpha_bar(self, t: Tensor) -> Tensor:
        """ᾱ of a flow at times t [B]; see `Policy`."""
        return flow_alpha_bar(t)

    def encode(self, clips: Tensor) -> Tensor:
        """Latents [B, T, C, h, h] of clips [B, T, 3, S, S] in 0 to 1, whose first frame is the still."""
        return coded(self.codec, clips)

    def decode(self, latents: Tensor, condition: Condition) -> Tensor:
        """Clips [B, T, 3, S, S] in 0 to 1 of clean latents: the still moved and painted; differentiable."""
        B, T = latents.shape[:2]
        still = condition.tensors["still"]
        stills = still[:, None].expand(B, T, *still.shape[1:]).flatten(0, 1)
        clips: Tensor = self.codec.decode(latents.flatten(0, 1), stills)
        return clips.view(B, T, *still.shape[1:])

    def state(self) -> dict[str, Any]:
        """Backend, configuration and the digest of all weights."""
        return {"backend": self.name, "config": self.config.facts(), "sha256": _digest(self._weights())}

    def codec_digest(self) -> str:
        """The digest of the codec alone."""
        return _digest({name: t for name, t in self._weights().items() if name.startswith("codec.")})

    def _weights(self) -> dict[str, Tensor]:
        parts = {"codec": self.codec, "network": self.network}
        return {f"{part}.{name}": t for part, of in parts.items() for name, t in of.state_dict().items()}

    def save(self, path: Path, facts: Mapping[str, Any] | None = None) -> None:
        """Write the generator in half precision, and the facts about it."""
        stated = {"kind": "generator", "backend": self.name, "config": self.config.facts()}
        checkpoint.save(path, checkpoint.halved(self._weights()), stated | dict(facts or {}))

    @classmethod
    def load(cls, path: Path) -> Tiny:
        """The generator of a file that `save` wrote. Raises CheckpointError where it is none."""
        tensors, facts = checkpoint.load(path)
        if facts.get("kind") != "generator" or facts.get("backend") != cls.name:
            raise CheckpointError(f"{path} holds no tiny generator; mimica augment train writes one")
        made = cls(TinyConfig.from_facts(facts["config"]))
        for part, module in (("codec", made.codec), ("network", made.network)):
            own = {
                name.removeprefix(f"{part}."): t.float() for name, t in tensors.items() if name.startswith(f"{part}.")
            }
            checkpoint.fill(module, own, str(path))
        made.network.eval()
        return made


def _digest(tensors: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.detach().cpu().float().contiguous().numpy().tobytes())
    return digest.hexdigest()
