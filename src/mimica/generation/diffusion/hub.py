"""Image-to-video models of diffusers as policies: what wan, ltx and cogvideox have in common.

B clips, T frames of a clip, F frames of latents, A units, C channels and h × w places of latents, L words.
They read the plan as words; its curves say only where guidance and smoothing may act.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from mimica.encoders.library import quiet
from mimica.errors import AssetError, MissingExtra, UsageError
from mimica.generation.diffusion.policy import Condition, Policy, Seen, along, flow_alpha_bar
from mimica.generation.diffusion.settings import Backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Where a backend's weights are from: name on the hub, size in GB, licence, the pipeline's class, side of clips."""

    name: str
    gigabytes: float
    licence: str
    pipeline: str
    size: int


WEIGHTS: dict[Backend, Weights] = {
    "wan": Weights(
        name="Wan-AI/Wan2.2-TI2V-5B-Diffusers", gigabytes=34, licence="Apache-2.0",
        pipeline="WanImageToVideoPipeline", size=480,
    ),
    "ltx": Weights(
        name="Lightricks/LTX-Video", gigabytes=28, licence="LTX-Video Open Weights",
        pipeline="LTXImageToVideoPipeline", size=480,
    ),
    "cogvideox": Weights(
        name="THUDM/CogVideoX-5b-I2V", gigabytes=22, licence="CogVideoX",
        pipeline="CogVideoXImageToVideoPipeline", size=480,
    ),
}  # fmt: skip
"""The weights that each backend is made for; folders of one's own are of the same kind."""


class HubPolicy(ABC):
    """A pipeline of diffusers taken apart: its vae, transformer, text encoder and scheduler as a `Policy`.

    `size` is the side of clips in pixels. Weights are frozen but for what training puts on `network`.
    """

    name: str
    kind: Literal["flow", "ddim"] = "flow"
    lora_targets: tuple[str, ...] = ("to_q", "to_k", "to_v", "to_out.0")

    def __init__(self, pipeline: Any, *, size: int, model: str = "") -> None:
        self.pipeline, self.size, self.model = pipeline, size, model
        self.network: nn.Module = pipeline.transformer
        self.vae, self.config = pipeline.vae, pipeline.transformer.config
        for part in (self.network, self.vae, pipeline.text_encoder):
            part.eval().requires_grad_(False)
        if size % self.multiple:
            raise UsageError(f"the side of clips of {self.name} must be a multiple of {self.multiple}, got {size}")

    @property
    @abstractmethod
    def every(self) -> int:
        """How many frames of a clip go into one of latents; the first stands alone."""

    @property
    @abstractmethod
    def shrink(self) -> int:
        """How many pixels a place of latents is wide."""

    @property
    @abstractmethod
    def channels(self) -> int:
        """How many channels latents have."""

    @property
    def multiple(self) -> int:
        """What the side of clips must be a multiple of."""
        return self.shrink

    @property
    def shift(self) -> float:
        """How much more of its way a sampler spends near noise; 1 for equal steps."""
        return float(self.pipeline.scheduler.config.get("flow_shift", self.pipeline.scheduler.config.get("shift", 1.0)))

    @abstractmethod
    def words(self, prompts: Sequence[str]) -> dict[str, Tensor]:
        """What the text encoder makes of prompts, by name, B first."""

    @abstractmethod
    def to_latents(self, clips: Tensor) -> Tensor:
        """Latents [B, C, F, h, w] of clips [B, 3, T, H, W] in −1 to 1, as large as noise."""

    @abstractmethod
    def to_clips(self, latents: Tensor) -> Tensor:
        """Clips [B, 3, T, H, W] in −1 to 1 of latents [B, C, F, h, w]."""

    @abstractmethod
    def run(self, latents: Tensor, t: Tensor, still: Tensor | None, words: dict[str, Tensor]) -> Tensor:
        """What the network says of latents [B, F, C, h, w], as `predict`; `still` [B, 1, C, h, w] or None."""

    def frames(self, wanted: int) -> int:
        """The nearest number of frames that is one more than a multiple of `every`, and more than one."""
        return max(1, round((wanted - 1) / self.every)) * self.every + 1

    def condition(
        self, images: Tensor, *, curves: Tensor | None = None, prompts: Sequence[str] | None = None, frames: int
    ) -> Condition:
        """Encode stills, plans and prompts; see `Policy`. Without prompts there are no words."""
        if frames != self.frames(frames):
            raise UsageError(f"{self.name} makes {self.frames(frames)} frames rather than {frames}")
        if prompts is not None and len(prompts) != len(images):
            raise UsageError(f"as many prompts as stills are needed, got {len(prompts)} and {len(images)}")
        images, B, side = images.to(self.vae.device), len(images), (self.size, self.size)
        if images.shape[-2:] != side:
            images = F.interpolate(images, size=side, mode="bilinear", antialias=True, align_corners=False)
        told = along(curves, B, (frames - 1) // self.every + 1, self.every)
        with torch.no_grad():
            still = self._encoded(images[:, None])
            said, blank = self.words(list(prompts or [""] * B)), self.words([""] * B)
        tensors = {"still": still} | {f"words.{k}": v for k, v in said.items()}
        tensors |= {f"blank.{k}": v for k, v in blank.items()}
        return Condition(tensors=tensors, anchor=still[:, 0], **{name: one.to(still) for name, one in told.items()})

    def noise(self, condition: Condition, generator: Generator | None = None) -> Tensor:
        """Latents of pure noise [B, F, C, h, w]."""
        h = self.size // self.shrink
        shape = (*condition.activation.shape, self.channels, h, h)
        device = condition.activation.device
        made = torch.randn(shape, generator=generator, device=device if generator is None else generator.device)
        return made.to(device)

    def predict(self, latents: Tensor, t: Tensor, condition: Condition, *, seen: Seen = "all") -> Tensor:
        """Velocity or noise [B, F, C, h, w]; see `Policy`."""
        which = "words." if seen == "all" else "blank."
        words = {k.removeprefix(which): v for k, v in condition.tensors.items() if k.startswith(which)}
        return self.run(latents, t, None if seen == "nothing" else condition.tensors["still"], words)

    def alpha_bar(self, t: Tensor) -> Tensor:
        """ᾱ of a flow at times t [B]; see `Policy`."""
        return flow_alpha_bar(t)

    def encode(self, clips: Tensor) -> Tensor:
        """Latents [B, F, C, h, w] of clips [B, T, 3, H, W] in 0 to 1."""
        return self._encoded(clips)

    def decode(self, latents: Tensor, condition: Condition) -> Tensor:
        """Clips [B, T, 3, H, W] in 0 to 1; differentiable. Never in tiles, whose seams a reward would see."""
        clips = self.to_clips(latents.transpose(1, 2).to(self.vae.dtype)).float()
        return ((clips.transpose(1, 2) + 1) / 2).clamp(0, 1)

    def state(self) -> dict[str, Any]:
        """Backend, model, configuration and a digest of the first numbers of every weight."""
        digest = hashlib.sha256()
        for name, weight in sorted(self.network.state_dict().items()):
            few = weight.detach().flatten()[:64].float().cpu().contiguous().numpy().tobytes()
            digest.update(f"{name}{tuple(weight.shape)}".encode() + few)
        config = {"size": self.size, "frames": f"{self.every}k + 1", "pipeline": type(self.pipeline).__name__}
        return {"backend": self.name, "model": self.model, "config": config, "sha256": digest.hexdigest()}

    def _encoded(self, clips: Tensor) -> Tensor:
        found = self.to_latents((2 * clips.transpose(1, 2) - 1).to(self.vae.dtype))
        return found.transpose(1, 2).float()


def led(velocity: Tensor, latents: Tensor, t: Tensor, still: Tensor | None) -> Tensor:
    """A velocity [B, F, C, h, w] whose first frame leads straight to the still: v = (z − still) / t."""
    if still is None:
        return velocity
    at = t.view(-1, 1, 1, 1, 1).clamp(min=1e-3)
    return torch.cat([(latents[:, :1] - still) / at, velocity[:, 1:]], 1)


def open_pipeline(backend: Backend, model: str | None = None, *, device: str = "cpu") -> Policy:
    """The backend with the weights of a folder or of a name on the hub that is on this machine already.

    Raises AssetError where they are not, MissingExtra without diffusers.
    """
    try:
        diffusers = import_module("diffusers")
    except ImportError:
        raise MissingExtra("diffusers", "generate") from None
    from mimica.generation.diffusion import cogvideox, ltx, wan

    weights = WEIGHTS[backend]
    kinds: dict[str, type[HubPolicy]] = {"wan": wan.Wan, "ltx": ltx.Ltx, "cogvideox": cogvideox.CogVideoX}
    named = model or weights.name
    precision = torch.float32 if device == "cpu" else torch.bfloat16
    try:
        with quiet():
            kind = getattr(diffusers, weights.pipeline)
            pipeline = kind.from_pretrained(named, dtype=precision, local_files_only=True)
    except (OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        text = " ".join(str(error).split())[:120]
        raise AssetError(
            f"the weights {named} of {backend} (about {weights.gigabytes:g} GB, licence {weights.licence}) are not on "
            f"this machine or not whole ({text}); get them with: hf download {weights.name}, or give their folder with "
            "--model"
        ) from None
    pipeline.to(device)
    made: Policy = kinds[backend](pipeline, size=weights.size, model=named)
    return made
