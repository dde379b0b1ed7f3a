"""Every recogniser by name, and how each comes out of its files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError, unknown

if TYPE_CHECKING:
    from mimica.labels import LabelSpace
    from mimica.recognition.model import Recogniser

SHIPPED = Path(__file__).parent.parent / "weights"
"""Where the weights lie that come with the package."""


def list_models() -> list[str]:
    """The names of the recognisers that come with the package."""
    return sorted(p.stem for p in SHIPPED.glob("*.json") if checkpoint.read_facts(p)["kind"] == "recogniser")


def locate(name: str) -> Path:
    """The `.safetensors` of a shipped name, or of a file or folder that training wrote. Raises UsageError."""
    shipped = SHIPPED / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.glob("*.safetensors") if p.stem != "state")
        if len(found) == 1:
            return found[0]
        raise CheckpointError(f"{path} holds {len(found)} models; name one file of them")
    if path.suffix == ".safetensors" and path.is_file():
        return path
    raise unknown("model", name, [*list_models(), "a path to a .safetensors"])


def facts(name: str) -> dict[str, Any]:
    """A model's card as data, without reading its weights."""
    return checkpoint.read_facts(locate(name))


def load(name: str, *, device: str = "cpu") -> Recogniser:
    """A recogniser by name or by the path that training wrote, ready to read.

    Raises UsageError for an unknown name or device, CheckpointError for weights that do not fit.
    """
    path = locate(name)
    kind = checkpoint.read_facts(path).get("kind")
    if kind != "recogniser":
        names = ", ".join(list_models())
        raise CheckpointError(f"{path} is of the kind '{kind}', not a recogniser; choose from {names}")
    _check(device)
    from mimica.recognition.duse.checkpoint import load_duse

    return load_duse(path, device=device)


def _check(device: str) -> None:
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):  # AssertionError: this torch was built without CUDA
        raise UsageError(f"there is no device '{device}' here; `mimica doctor` lists those that there are") from None


def space_from(stated: Mapping[str, Any]) -> LabelSpace:
    """The label space that a checkpoint states."""
    from mimica.labels import EXPRESSIONS, LabelSpace

    names = tuple(stated["names"])
    aliases = EXPRESSIONS.aliases if names == EXPRESSIONS.names else {}
    return LabelSpace(
        name=stated["name"], names=names, aliases=aliases,
        descriptions=tuple(tuple(d) for d in stated["descriptions"]), polarity=tuple(stated.get("polarity", ())),
    )  # fmt: skip


def space_facts(space: LabelSpace) -> dict[str, Any]:
    """A label space as a checkpoint states it."""
    return {"name": space.name, "names": space.names, "descriptions": space.descriptions, "polarity": space.polarity}
