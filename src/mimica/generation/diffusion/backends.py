"""Every generator by its name: what opens it, from which weights."""

from __future__ import annotations

from pathlib import Path

from mimica import checkpoint
from mimica.errors import AssetError
from mimica.generation.diffusion.policy import Policy
from mimica.generation.diffusion.settings import Backend


def open_policy(backend: Backend, model: str | None = None, *, device: str = "cpu") -> Policy:
    """The generator of that name with the weights of `model`: a file for `tiny`, else a folder or a name on the hub.

    Nothing is downloaded. Raises AssetError where the weights are not on this machine, MissingExtra without diffusers.
    """
    if backend == "tiny":
        return _tiny(model, device)
    from mimica.generation.diffusion.hub import open_pipeline

    return open_pipeline(backend, model, device=device)


def _tiny(model: str | None, device: str) -> Policy:
    from mimica.generation.diffusion.tiny import Tiny

    path = checkpoint.SHIPPED / "tiny.safetensors" if model is None else Path(model)
    if not path.is_file():
        there = (
            "no weights of the tiny generator come with this installation" if model is None else f"there is no {path}"
        )
        raise AssetError(
            f"{there}; train it (mimica augment train --out runs/tiny, about 2 MB) and give the file with --model"
        )
    made = Tiny.load(path)
    made.codec.to(device)
    made.network.to(device)
    return made
