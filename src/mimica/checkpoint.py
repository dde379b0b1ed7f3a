"""What was learned, on disk: `NAME.safetensors` for the tensors, `NAME.json` for all that is said of them.

What only this program reads, like the state of a run, is one file with the facts inside (`pack`, `unpack`).
Nothing is ever unpickled. A checkpoint is written beside its final name and moved there whole, so
a killed run leaves either the old one or the new one.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimica.errors import CheckpointError, InputError

if TYPE_CHECKING:
    import torch

FORMAT = 1

SHIPPED = Path(__file__).parent / "weights"
"""Where the weights lie that come with the package."""


def save(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors to `path` (`.safetensors`) and the facts about them to the `.json` beside it.

    Raises CheckpointError where the disk is full or the folder cannot be written to.
    """
    from safetensors.torch import save as to_bytes

    data = to_bytes({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
    record = {"format": FORMAT, "sha256": hashlib.sha256(data).hexdigest(), **facts}
    told = (json.dumps(record, indent=2, default=str) + "\n").encode()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Both are on the disk before either is moved, so that only the moment between two renames can part them.
        parts = [(_part(place, what), place) for place, what in ((path, data), (path.with_suffix(".json"), told))]
        for part, place in parts:
            part.replace(place)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from None


def load(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the facts of a checkpoint; `path` names its `.safetensors`.

    Raises CheckpointError if either file is missing, unreadable, or does not belong to the other.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    facts = read_facts(path)
    try:
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != facts.get("sha256"):
            sidecar = path.with_suffix(".json").name
            raise CheckpointError(f"{path} is not the file that {sidecar} describes; copy both again")
        return from_bytes(data), facts
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read the weights {path}: {error}") from None


def read_facts(path: Path) -> dict[str, Any]:
    """What the `.json` beside a checkpoint says, without reading its tensors."""
    sidecar = path.with_suffix(".json")
    try:
        facts = json.loads(sidecar.read_text())
    except FileNotFoundError:
        raise CheckpointError(f"there is no {sidecar}; what was learned is two files, {path.name} and that") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"cannot read {sidecar}: {error}") from None
    if not isinstance(facts, dict):
        raise CheckpointError(f"{sidecar} holds no facts of a checkpoint")
    if facts.get("format") != FORMAT:
        raise CheckpointError(f"{sidecar} has format {facts.get('format')!r}; this version reads format {FORMAT}")
    return facts


def restate(path: Path, **facts: Any) -> None:
    """Change some of the facts of a checkpoint and nothing of its tensors."""
    told = {**read_facts(path), **facts}
    put(path.with_suffix(".json"), (json.dumps(told, indent=2, default=str) + "\n").encode())


def halved(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """The same in half precision, as weights are shipped; whole numbers stay."""
    return {name: t.half() if t.is_floating_point() else t for name, t in tensors.items()}


def pack(path: Path, tensors: Mapping[str, torch.Tensor], facts: Mapping[str, Any]) -> None:
    """Write tensors and the facts about them to one file, which is the old one or the new one at any moment."""
    from safetensors.torch import save as to_bytes

    told = json.dumps({"format": FORMAT, **facts}, default=str)
    data = to_bytes({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, {"facts": told})
    put(path, data)


def unpack(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors and the facts of a file that `pack` wrote. Raises CheckpointError for any other."""
    from safetensors import SafetensorError
    from safetensors.torch import load as from_bytes

    try:
        data = path.read_bytes()
        tensors = from_bytes(data)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from None
    # The library gives the tensors of bytes and keeps what is said of them to itself.
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    return tensors, _own_facts(path, header.get("__metadata__"))


def packed_facts(path: Path) -> dict[str, Any]:
    """What a file that `pack` wrote says of its tensors, without reading them. Raises CheckpointError for any other."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "pt") as file:
            return _own_facts(path, file.metadata())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"cannot read {path}: {error}") from None


def put(path: Path, data: bytes) -> None:
    """Write a file whole: at any moment it is the old one or the new one, whatever happens to the program.

    Raises CheckpointError where the disk is full or the folder cannot be written to.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _part(path, data).replace(path)
    except OSError as error:
        raise CheckpointError(f"cannot write {path}: {error.strerror or error}") from None


def put_at(path: Path, data: bytes, flag: str) -> None:
    """Write a file whole where the user asked for it with a flag. Raises InputError where that cannot be done."""
    try:
        put(path, data)
    except CheckpointError as error:
        raise InputError(f"{error}; choose another place with {flag}") from None


def fill(
    module: torch.nn.Module, tensors: Mapping[str, torch.Tensor], where: str, *, leave: str | Sequence[str] = ()
) -> None:
    """Load tensors into a module; refuse any that are missing, left over or of another shape.

    What `leave` names, a part of the module or several, has its weights from elsewhere and is let be.
    """
    parts = tuple(f"{part}." for part in ([leave] if isinstance(leave, str) else leave))
    wanted = {name: t for name, t in module.state_dict().items() if not name.startswith(parts)}
    missing = sorted(wanted.keys() - tensors.keys())
    extra = sorted(tensors.keys() - wanted.keys())
    shapes = sorted(k for k in wanted.keys() & tensors.keys() if wanted[k].shape != tensors[k].shape)
    problems = [
        f"{what}: {', '.join(keys[:4])}{f' and {len(keys) - 4} more' if len(keys) > 4 else ''}"
        for what, keys in (("missing", missing), ("left over", extra), ("of another shape", shapes))
        if keys
    ]
    if problems:
        raise CheckpointError(f"{where} does not fit {type(module).__name__}: {'; '.join(problems)}")
    module.load_state_dict({k: v.to(wanted[k].dtype) for k, v in tensors.items()}, strict=not parts)


def fill_from_torchvision(module: torch.nn.Module, asset: str) -> None:
    """Give a network of transformers without a head the weights that torchvision trained, which are an asset.

    Raises AssetError without the asset, CheckpointError where its file is another network's.
    """
    import torch

    from mimica.assets import file

    weights = torch.load(file(asset), weights_only=True)
    features = [value for name, value in weights.items() if name.startswith("features.")]
    named = module.state_dict()  # both libraries list the same layers in the same order
    if [value.shape for value in features] != [value.shape for value in named.values()]:
        kind = type(module).__name__
        raise CheckpointError(f"{asset} holds other tensors than a {kind}; mimica assets check {asset}")
    module.load_state_dict(dict(zip(named, features, strict=True)))


def _own_facts(path: Path, metadata: Mapping[str, str] | None) -> dict[str, Any]:
    try:
        facts = json.loads((metadata or {}).get("facts", "null"))
    except ValueError:
        facts = None
    if not isinstance(facts, dict) or facts.get("format") != FORMAT:
        raise CheckpointError(f"{path} is not a file of format {FORMAT} that holds its own facts")
    return facts


def _part(path: Path, data: bytes) -> Path:
    part = path.with_name(path.name + ".part")
    with part.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return part
