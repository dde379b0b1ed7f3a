"""Every generator by its name: what opens it, from which weights."""

from __future__ import annotations

import json
from pathlib import Path

from mimica import checkpoint
from mimica.errors import AssetError, CheckpointError
from mimica.generation.diffusion.policy import Policy
from mimica.generation.diffusion.settings import Backend, Sampling


def open_policy(backend: Backend, model: str | None = None, *, device: str = "cpu") -> Policy:
    """The generator of that name with the weights of `model`: a file for `tiny`, else a folder or a name on the hub.

    Nothing is downloaded. Raises AssetError where the weights are not on this machine, MissingExtra without diffusers.
    """
    if backend == "tiny":
        return _tiny(model, device)
    from mimica.generation.diffusion.hub import open_pipeline

    return open_pipeline(backend, model, device=device)


def open_tuned(sampling: Sampling, *, device: str = "cpu") -> Policy:
    """The generator that `sampling` names, with its adapter in place where it names one.

    Raises CheckpointError for an adapter of another generator or of other layers; see `open_policy`.
    """
    policy = open_policy(sampling.backend, sampling.model, device=device)
    if sampling.adapter is None:
        return policy
    from mimica.generation.reinforce.adapter import Adapter

    facts, before = checkpoint.read_facts(sampling.adapter), policy.state()
    if facts.get("kind") != "adapter":
        raise CheckpointError(f"{sampling.adapter} holds no adapter; mimica augment tune writes one")
    if facts.get("generator") != json.loads(json.dumps(before)):
        raise CheckpointError(f"{sampling.adapter} was tuned for another generator; tune one for this")
    adapter = Adapter(policy.network, policy.lora_targets, rank=facts["rank"], alpha=facts["alpha"])
    adapter.load(sampling.adapter)
    adapter.module.eval()
    return policy


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
