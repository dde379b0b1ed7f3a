"""An encoder by what a user calls it: a shipped name, a file that pretraining wrote, or any CLIP."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import torch

from mimica import checkpoint
from mimica.encoders.store import load_encoder
from mimica.encoders.towers import DualEncoder, VisionTower, freeze
from mimica.errors import CheckpointError, UsageError, unknown


def open_encoder(named: str) -> DualEncoder:
    """Both towers, frozen, to train on: `compact`, the path of one that was pretrained, or a CLIP.

    A CLIP is a folder or a name on the hub, as transformers has it, or a file of weights with its
    tokenizer in the same folder. Raises UsageError for a name that is none of these, CheckpointError or
    AssetError where it cannot be had whole.
    """
    path = _compact(named)
    if path is None:
        return _clip(named)
    from mimica.encoders.sentence import SentenceTower

    vision, project, facts = load_encoder(path)
    text = SentenceTower(dim=vision.dim)
    with torch.no_grad():
        text.project.weight.copy_(project)
    freeze(vision)
    freeze(text)
    return DualEncoder(
        name=_name(path), vision=vision, text=text, log_scale=facts["log_scale"], identity=facts["sha256"]
    )


def open_vision(named: str, *, identity: str, asked_by: Path) -> VisionTower:
    """The vision tower alone, frozen, to read with; what was learned, in the file `asked_by`, wants this `identity`.

    Where the encoder is no longer where it was, the folder of `asked_by` is looked in. Raises
    CheckpointError where the encoder is not there or is another one.
    """
    named = _there(named, asked_by)
    path = _compact(named)
    if path is not None:
        vision, _, facts = load_encoder(path)
        tower, found = cast("VisionTower", freeze(vision)), facts["sha256"]
    else:
        encoder = open_encoder(named)
        tower, found = encoder.vision, encoder.identity
    _refuse_other(found, identity, asked_by, path or named)
    return tower


def open_both(named: str, *, identity: str, asked_by: Path) -> DualEncoder:
    """Both towers of the encoder that the file `asked_by` was learned on, where `open_vision` looks for it."""
    named = _there(named, asked_by)
    encoder = open_encoder(named)
    _refuse_other(encoder.identity, identity, asked_by, named)
    return encoder


def _there(named: str, asked_by: Path) -> str:
    """Where an encoder is now."""
    beside = asked_by.parent / Path(named).name
    if _compact(named) is None and not Path(named).exists():
        if beside.exists():
            return str(beside)
        if Path(named).is_absolute() or "/" not in named:  # on the hub, it is OWNER/NAME
            raise CheckpointError(
                f"{asked_by} needs the encoder {named}, which is not there; copy it beside {asked_by.name}"
            )
    return named


def _refuse_other(found: str, identity: str, asked_by: Path, named: str | Path) -> None:
    if found != identity:
        raise CheckpointError(f"{asked_by} was trained on another encoder than {named}; train it again on this")


def _clip(named: str) -> DualEncoder:
    from mimica.encoders.clip import load_clip

    file = Path(named)
    if not file.exists() and "/" not in named:
        raise unknown("encoder", named, [*_shipped(), "a path", "a CLIP's name on the hub (OWNER/NAME)"])
    return load_clip(named, tokenizer=file.parent if file.is_file() else None)


def _shipped() -> list[str]:
    return sorted(
        p.stem for p in checkpoint.SHIPPED.glob("*.json") if checkpoint.read_facts(p).get("kind") == "encoder"
    )


def _compact(named: str) -> Path | None:
    """The file of a compact encoder of that name or path; None where it is something else."""
    shipped, path = checkpoint.SHIPPED / f"{named}.safetensors", Path(named)
    for place in (shipped, path, path / "compact.safetensors"):
        if place.suffix == ".safetensors" and place.is_file() and place.with_suffix(".json").is_file():
            kind = checkpoint.read_facts(place).get("kind")
            if kind != "encoder":
                raise UsageError(f"{place} is of the kind '{kind}', not an encoder")
            return place
    return None


def _name(path: Path) -> str:
    return path.stem if path.parent == checkpoint.SHIPPED else str(path.resolve())
