"""The compact encoder in its file: the vision tower, and the projection that its text side learned with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor

from mimica import checkpoint
from mimica.encoders.compact import CompactConfig, CompactVision, channels_last
from mimica.errors import CheckpointError


def save_encoder(path: Path, vision: CompactVision, project: Tensor, facts: Mapping[str, Any]) -> None:
    """Write a vision tower and a text projection [d, D] in half precision."""
    tensors = {f"vision.{name}": value for name, value in vision.state_dict().items()}
    tensors["project"] = project
    half = {name: value.half() if value.is_floating_point() else value for name, value in tensors.items()}
    checkpoint.save(
        path, half, {"kind": "encoder", "architecture": "compact", "config": vision.config.facts(), **facts}
    )


def encoder_size(path: Path) -> int:
    """The side in pixels of the faces that an encoder reads, without reading its weights."""
    return _config(path, checkpoint.read_facts(path)).size


def load_encoder(path: Path) -> tuple[CompactVision, Tensor, dict[str, Any]]:
    """The vision tower, the text projection [d, D] and the facts. Raises CheckpointError if they do not fit."""
    tensors, facts = checkpoint.load(path)
    vision = CompactVision(_config(path, facts))
    project = tensors.pop("project", None)
    if project is None:
        raise CheckpointError(f"{path} holds no text projection; it is not a whole encoder")
    checkpoint.fill(vision, {name.removeprefix("vision."): value for name, value in tensors.items()}, str(path))
    return channels_last(vision), project.float(), facts


def _config(path: Path, facts: Mapping[str, Any]) -> CompactConfig:
    if facts.get("architecture") != "compact":
        raise CheckpointError(f"{path} holds {facts.get('architecture')!r}, not a compact encoder")
    return CompactConfig.from_facts(facts["config"])
