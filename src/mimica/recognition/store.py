"""A recogniser in its file: what was learned, with the encoder that it was learned on named and checked."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimica import checkpoint
from mimica.encoders.named import open_both, open_vision
from mimica.encoders.towers import DualEncoder
from mimica.errors import CheckpointError, UsageError
from mimica.labels import LabelSpace
from mimica.recognition.model import Recogniser, Trainable

if TYPE_CHECKING:
    from torch import Tensor

    from mimica.recognition.duse.model import Duse
    from mimica.recognition.registry import Learnt

_STATED: dict[str, type] = {
    "architecture": str, "config": dict, "log_scale": float, "encoder": str, "encoder_sha256": str, "labels": dict,
    "frames": int, "temperature": float, "unsure_below": float,
}  # fmt: skip
_STATED_BY: dict[str, dict[str, type]] = {"duse": {"layers": int}}
"""The facts without which no recogniser can be built, by name with what each is; and those of one architecture."""


def save_recogniser(path: Path, network: Trainable, *, encoder: DualEncoder, facts: Mapping[str, Any]) -> None:
    """Write what was learned, in half precision, and all that is said of it; no weight of the encoder.

    `facts` must state `frames`, `temperature` and `unsure_below`.
    """
    tensors, built = network.saved()
    stated = {
        "kind": "recogniser",
        "architecture": network.architecture,
        **built,
        "labels": network.space.facts(),
        "encoder": encoder.name,
        "encoder_sha256": encoder.identity,
    }
    checkpoint.save(path, {name: t.half() for name, t in tensors.items()}, {**stated, **facts})


def save_as_it_is(path: Path, recogniser: Recogniser) -> None:
    """Write a recogniser that was not trained just now: one that has learned nothing, or reads other classes."""
    tensors, built = recogniser.network.saved()  # type: ignore[attr-defined]
    told = {name: value for name, value in recogniser.facts.items() if name not in ("format", "sha256")}
    stated = {
        "labels": recogniser.space.facts(), "frames": recogniser.frames, "window": recogniser.window,
        "mirrored": recogniser.mirrored, "temperature": recogniser.temperature,
        "temperature_slope": recogniser.temperature_slope, "unsure_below": recogniser.unsure_below,
    }  # fmt: skip
    checkpoint.save(path, {name: t.half() for name, t in tensors.items()}, {**told, **built, **stated})


def load_recogniser(path: Path, *, device: str = "cpu", space: LabelSpace | None = None) -> Recogniser:
    """A trained recogniser, frozen, with its encoder; with `space`, for those classes, read by their descriptions.

    Raises CheckpointError where weights and encoder do not fit, UsageError for a space that it cannot take.
    """
    tensors, facts = checkpoint.load(path)
    _refuse_unstated(facts, path.with_suffix(".json"))
    kind = _architecture(facts["architecture"], path)
    try:
        own = LabelSpace.from_facts(facts["labels"])
        _refuse_other_classes(tensors, own, path)
        if space is None:
            vision = open_vision(facts["encoder"], identity=facts["encoder_sha256"], asked_by=path)
            network = kind.restored(vision, own, tensors, facts, str(path))
    except UsageError as error:  # of what a file states and nobody typed
        raise CheckpointError(f"{path.with_suffix('.json')}: {error}") from None
    if space is not None:
        network, facts = _told(space, tensors, facts, path), _of_other_classes(facts, space, own)
    space = space or own
    return Recogniser(
        name=path.stem,
        network=network.to(device),
        space=space,
        frames=facts["frames"],
        window=facts.get("window"),
        mirrored=facts.get("mirrored", False),
        temperature=facts["temperature"],
        temperature_slope=facts.get("temperature_slope", 0.0),
        unsure_below=facts["unsure_below"],
        facts=facts,
        device=device,
    )


def _told(space: LabelSpace, tensors: Mapping[str, Tensor], facts: Mapping[str, Any], path: Path) -> Duse:
    """What was learned, beside the texts of other classes."""
    from mimica.recognition.duse.model import Duse

    if facts["architecture"] != Duse.architecture:
        raise UsageError(
            f"{path} is of the architecture '{facts['architecture']}', which knows only the classes that it learned; "
            "methods that read other classes by their descriptions are duse, duse-paper, coop, zero-shot"
        )
    encoder = open_both(facts["encoder"], identity=facts["encoder_sha256"], asked_by=path)
    return Duse.restored(encoder.vision, space, tensors, facts, str(path), text=encoder.text)


def _of_other_classes(facts: Mapping[str, Any], space: LabelSpace, own: LabelSpace) -> dict[str, Any]:
    """The facts without what was found out about the classes that were learned."""
    kept = {name: value for name, value in facts.items() if name not in ("held_out", "sha256")}
    return {
        **kept, "labels": space.facts(), "learned_classes": list(own.names), "calibrated_on": None, "metrics": {},
        "temperature": 1.0, "temperature_slope": 0.0, "unsure_below": 0.0,
    }  # fmt: skip


def _refuse_unstated(facts: Mapping[str, Any], where: Path) -> None:
    wanted = _STATED | _STATED_BY.get(str(facts.get("architecture")), {})
    if lacking := sorted(wanted.keys() - facts.keys()):
        raise CheckpointError(f"{where} does not state {', '.join(lacking)}, as a recogniser's must")
    for name, kind in wanted.items():
        if not isinstance(facts[name], (int, float) if kind is float else kind):
            raise CheckpointError(f"{where} states {name} as {facts[name]!r:.60}, which is no {kind.__name__}")


def _refuse_other_classes(tensors: Mapping[str, Tensor], space: LabelSpace, path: Path) -> None:
    """A plainer word than that of shapes where it is the label space that does not fit."""
    for name in {"constants.texts", "texts", "classify.weight"} & tensors.keys():
        if (learned := len(tensors[name])) != len(space):
            raise CheckpointError(
                f"{path} was trained on {learned} classes, and {path.with_suffix('.json').name} states "
                f"{len(space)}: {', '.join(space.names)}; take the .json that was written with it"
            )


def _architecture(name: str, path: Path) -> type[Learnt]:
    from mimica.recognition.baselines.probe import Probe
    from mimica.recognition.baselines.temporal import Temporal
    from mimica.recognition.duse.model import Duse
    from mimica.recognition.ous.model import Ous

    known: tuple[type[Learnt], ...] = (Duse, Ous, Probe, Temporal)
    kinds = {kind.architecture: kind for kind in known}
    if name not in kinds:
        raise CheckpointError(f"{path} is of the architecture '{name}'; this version reads {', '.join(kinds)}")
    return kinds[name]
