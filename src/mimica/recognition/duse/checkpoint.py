"""DuSE in its file: what was learned and what it folds to, with the encoder named and checked by its sha256."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mimica import checkpoint
from mimica.encoders.store import load_encoder
from mimica.errors import CheckpointError
from mimica.recognition.duse.model import Duse, DuseConfig
from mimica.recognition.model import Recogniser
from mimica.recognition.registry import SHIPPED, space_facts, space_from

_STATED = frozenset(
    {"encoder", "encoder_sha256", "labels", "config", "layers", "log_scale", "frames", "temperature", "unsure_below"}
)


def save_duse(path: Path, duse: Duse, *, encoder: Path, facts: Mapping[str, Any]) -> None:
    """Write a trained DuSE in half precision: prompts, coupling, aggregator, and the constants they fold to.

    `encoder` is the file of the encoder that it was trained on; `facts` must state `frames`,
    `temperature` and `unsure_below`.
    """
    folded = {f"constants.{name}": t for name, t in duse.folded().items()}
    stated = {
        "kind": "recogniser",
        "architecture": "duse",
        "config": duse.config.facts(),
        "layers": len(folded["constants.vision_prompts"]),
        "log_scale": float(duse.log_scale),
        "labels": space_facts(duse.space),
        "encoder": encoder.stem if encoder.parent == SHIPPED else str(encoder.resolve()),
        "encoder_sha256": checkpoint.read_facts(encoder)["sha256"],
    }
    checkpoint.save(path, {name: t.half() for name, t in (duse.learned() | folded).items()}, {**stated, **facts})


def load_duse(path: Path, *, device: str = "cpu") -> Recogniser:
    """A trained DuSE, frozen, with its encoder. Raises CheckpointError where weights and encoder do not fit."""
    tensors, facts = checkpoint.load(path)
    if lacking := sorted(_STATED - facts.keys()):
        raise CheckpointError(f"{path.with_suffix('.json')} does not state {', '.join(lacking)}, as a DuSE's must")
    encoder = _encoder(facts["encoder"], facts["encoder_sha256"], path)
    vision, _, _ = load_encoder(encoder)
    space = space_from(facts["labels"])
    duse = Duse(
        vision, None, space, DuseConfig(**facts["config"]), log_scale=facts["log_scale"], layers=facts["layers"]
    )
    # The prompts are for training on; reading needs only what they fold to.
    wanted = {name: t for name, t in tensors.items() if not name.startswith("prompts.")}
    checkpoint.fill(duse, wanted | {f"vision.{n}": t for n, t in vision.state_dict().items()}, str(path))
    duse.freeze().to(device)
    return Recogniser(
        name=path.stem,
        network=duse,
        space=space,
        frames=facts["frames"],
        window=facts.get("window"),
        temperature=facts["temperature"],
        unsure_below=facts["unsure_below"],
        facts=facts,
        device=device,
    )


def _encoder(named: str, sha256: str, asked_by: Path) -> Path:
    for place in (SHIPPED / f"{named}.safetensors", Path(named), asked_by.parent / Path(named).name):
        if place.is_file() and place.suffix == ".safetensors":
            if checkpoint.read_facts(place)["sha256"] != sha256:
                raise CheckpointError(
                    f"{asked_by} was trained on another encoder than {place}; train it again on this one"
                )
            return place
    raise CheckpointError(f"{asked_by} needs the encoder {named}, which is not there; copy it beside {asked_by.name}")
