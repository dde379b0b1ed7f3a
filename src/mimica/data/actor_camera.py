"""How the actor is held before a camera: the pose of the head, near or far, the light, and what a camera makes of it.

B clips, T frames, S side in pixels. Every draw is a function of (part, seed, clip) alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from mimica.data.actor_identity import stream
from mimica.data.actor_settings import Part


@dataclass(frozen=True, slots=True, kw_only=True)
class Pose:
    """How the head is held, each [B, T]: yaw, pitch and roll in radians, scale, shifts in half sides of the picture."""

    yaw: Tensor
    pitch: Tensor
    roll: Tensor
    scale: Tensor
    shift_x: Tensor
    shift_y: Tensor

    @classmethod
    def frontal(cls, clips: int, frames: int) -> Pose:
        """A head that looks straight out, at rest, upright."""
        zero, one = torch.zeros(clips, frames), torch.ones(clips, frames)
        return cls(yaw=zero, pitch=zero, roll=zero, scale=one, shift_x=zero, shift_y=zero)


@dataclass(frozen=True, slots=True, kw_only=True)
class Light:
    """How the picture is lit and taken, each [B]: where light comes from in radians, how one-sided it is, gamma."""

    angle: Tensor
    strength: Tensor
    gamma: Tensor

    @classmethod
    def even(cls, clips: int) -> Light:
        """Light from all sides."""
        return cls(angle=torch.zeros(clips), strength=torch.zeros(clips), gamma=torch.ones(clips))


def taking(numbers: np.ndarray, frames: int, part: Part, seed: int) -> tuple[Pose, Light, Tensor]:
    """Pose and light of clips, and how blurred [B] and noisy [B] their pictures are, as [B, 2]."""
    u = torch.from_numpy(np.stack([stream(part, 3, seed, int(n)).random(24) for n in numbers])).float()
    s = 2 * u - 1
    t = torch.linspace(-1, 1, frames)[None] if frames > 1 else torch.zeros(1, 1)
    paths = [
        s[:, k, None] + 0.3 * (s[:, 6 + k, None] * t + s[:, 12 + k, None] * torch.sin(torch.pi * t)) for k in range(6)
    ]
    pose = Pose(
        yaw=0.45 * paths[0], pitch=0.30 * paths[1], roll=0.14 * paths[2], scale=1.16 + 0.07 * paths[3],
        shift_x=0.05 * paths[4], shift_y=0.03 * paths[5] - 0.04,
    )  # fmt: skip
    light = Light(angle=2 * torch.pi * u[:, 18], strength=0.30 * u[:, 19], gamma=torch.exp(0.25 * s[:, 20]))
    return pose, light, torch.stack([0.7 * u[:, 21] ** 2, 0.025 * u[:, 22]], -1)


def far(pose: Pose, numbers: np.ndarray, part: Part, seed: int) -> Pose:
    """The same heads as far away as one stands before a scene, in the lower half and somewhat to a side."""
    u = torch.from_numpy(np.stack([stream(part, 5, seed, int(n)).random(3) for n in numbers])).float()[..., None]
    near = 0.34 + 0.10 * u[:, 0]
    return replace(
        pose, scale=near * pose.scale, shift_x=near * pose.shift_x + 0.5 * (u[:, 1] - 0.5),
        shift_y=near * pose.shift_y + 0.12 + 0.16 * u[:, 2],
    )  # fmt: skip


def developed(seen: Tensor, camera: Tensor, numbers: np.ndarray, part: Part, seed: int) -> Tensor:
    """What a plain camera makes of pictures: a little blurred and noisy, uint8."""
    blur, noise = camera[:, 0].view(-1, 1, 1, 1, 1) / 3, camera[:, 1].view(-1, 1, 1, 1, 1)
    for axis in (3, 4):
        seen = seen + blur * (seen.roll(1, axis) + seen.roll(-1, axis) - 2 * seen)
    grain = np.stack(
        [stream(part, 4, seed, int(n)).standard_normal(tuple(seen.shape[1:]), np.float32) for n in numbers]
    )
    return ((seen + noise * torch.from_numpy(grain)).clamp(0, 1) * 255).round().to(torch.uint8)
