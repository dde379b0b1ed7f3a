"""An encoder of our own in its file: the vision tower, and the projection that its text side learned with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from mimica import checkpoint
from mimica.encoders.compact import CompactConfig, CompactVision
from mimica.encoders.identity import IdentityConfig, IdentityVision
from mimica.encoders.mobile import MobileConfig, MobileVision
from mimica.errors import CheckpointError

Vision = CompactVision | MobileVision | IdentityVision
Config = CompactConfig | MobileConfig | IdentityConfig

_CONFIGS: dict[str, type[Config]] = {"compact": CompactConfig, "mobile": MobileConfig, "identity": IdentityConfig}


def save_encoder(path: Path, vision: Vision, project: Tensor, facts: Mapping[str, Any]) -> None:
    """Write a vision tower and a text projection [d, D] in half precision."""
    tensors = {f"vision.{name}": value for name, value in vision.state_dict().items()}
    tensors["project"] = project
    stated = {"kind": "encoder", "architecture": vision.architecture, "config": vision.config.facts(), **facts}
    checkpoint.save(path, checkpoint.halved(tensors), stated)


def encoder_size(path: Path) -> int:
    """The side in pixels of the faces that an encoder reads, without reading its weights."""
    return _config(path, checkpoint.read_facts(path)).size


def load_encoder(path: Path) -> tuple[CompactVision, Tensor, dict[str, Any]]:
    """The vision tower, the text projection [d, D] and the facts of a tower that takes prompts.

    Raises CheckpointError if they do not fit, or the tower is a teacher, which takes none.
    """
    vision, project, facts = load_any(path)
    if not isinstance(vision, CompactVision):
        raise CheckpointError(f"{path} is a teacher and takes no prompts; pretrain compact with --teachers {path}")
    return vision, project, facts


def load_any(path: Path) -> tuple[Vision, Tensor, dict[str, Any]]:
    """The vision tower, the text projection [d, D] and the facts. Raises CheckpointError if they do not fit."""
    tensors, facts = checkpoint.load(path)
    vision = _config(path, facts).build()
    project = tensors.pop("project", None)
    if project is None:
        raise CheckpointError(f"{path} holds no text projection; it is not a whole encoder")
    checkpoint.fill(vision, {name.removeprefix("vision."): value for name, value in tensors.items()}, str(path))
    channels_last(vision)
    return vision, project.float(), facts


def channels_last(vision: nn.Module) -> nn.Module:
    """The same module with its convolutions laid out as CPUs and tensor cores like them."""
    for module in vision.modules():
        if isinstance(module, nn.Conv2d):
            module.weight.data = module.weight.data.contiguous(memory_format=torch.channels_last)
    return vision


def _config(path: Path, facts: Mapping[str, Any]) -> Config:
    if facts.get("architecture") not in _CONFIGS:
        raise CheckpointError(f"{path} holds {facts.get('architecture')!r}, not a compact encoder")
    return _CONFIGS[facts["architecture"]].from_facts(facts["config"])
