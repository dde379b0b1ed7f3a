"""Clips packed into one file that torch and safetensors alone can read, for a machine that trains and has no more.

N clips, T frames of a clip, S side in pixels, G channels. The file holds parts; each has `PART.frames`
uint8 [sum of T, S, S, G], `PART.lengths` [N], `PART.labels` [N], and the facts hold the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from mimica import checkpoint
from mimica.data.clipset import ClipSet
from mimica.errors import CheckpointError, InputError
from mimica.labels import LabelSpace


def pack(parts: Mapping[str, ClipSet], path: Path) -> None:
    """Write parts of a data set, by name, to one file."""
    tensors, facts = {}, {}
    for part, clips in parts.items():
        tensors[f"{part}.frames"] = torch.from_numpy(np.concatenate(list(clips.frames)))
        tensors[f"{part}.lengths"] = torch.tensor([len(frames) for frames in clips.frames])
        tensors[f"{part}.labels"] = torch.from_numpy(clips.labels.astype(np.int64))
        facts[part] = {"names": list(clips.names), "manifest": dict(clips.manifest), "labels": clips.space.facts()}
    checkpoint.pack(path, tensors, {"kind": "clips", "parts": facts})


def packed_parts(path: Path, *, size: int | None = None) -> dict[str, ClipSet]:
    """The parts that a file holds, by name; their faces are to be of that `size`, where one is given.

    Raises InputError for a file that `pack` did not write, or faces of another size.
    """
    try:
        tensors, facts = checkpoint.unpack(path)
    except CheckpointError as error:
        raise InputError(f"{error}; packed:FILE names one that mimica data pack wrote") from None
    if facts.get("kind") != "clips":
        raise InputError(f"{path} holds no clips; packed:FILE names one that mimica data pack wrote")
    parts = {part: _part(tensors, part, told) for part, told in facts["parts"].items()}
    for clips in parts.values():
        side = clips.frames[0].shape[1]
        if size is not None and side != size:
            raise InputError(
                f"the faces in {path} are {side} pixels across and {size} are read; pack them with --size {size}"
            )
    return parts


def packed(path: Path, *, part: str, size: int) -> ClipSet:
    """One part of a packed file. Raises InputError for a part that it has not, or faces of another size."""
    parts = packed_parts(path, size=size)
    if part not in parts:
        raise InputError(f"{path} has no part {part}; it has {', '.join(parts)}")
    return parts[part]


def _part(tensors: Mapping[str, torch.Tensor], part: str, told: Mapping[str, object]) -> ClipSet:
    frames = tensors[f"{part}.frames"].numpy()
    ends = np.cumsum(tensors[f"{part}.lengths"].numpy())
    names, stated, labels = told["names"], told["manifest"], told["labels"]
    assert isinstance(names, list)
    assert isinstance(stated, dict)
    assert isinstance(labels, dict)
    return ClipSet(
        frames=np.split(frames, ends[:-1]), labels=tensors[f"{part}.labels"].numpy(), names=names,
        space=LabelSpace.from_facts(labels), manifest=stated,
    )  # fmt: skip
