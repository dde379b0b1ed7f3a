"""The mean of a clip's frames against class texts: DuSE with its parts taken out, so that nothing else differs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mimica import __version__
from mimica.recognition.duse.config import DuseConfig

if TYPE_CHECKING:
    from mimica.encoders.towers import DualEncoder
    from mimica.labels import LabelSpace
    from mimica.recognition.model import Recogniser


def zero_shot() -> DuseConfig:
    """CLIP as it is (arXiv 2103.00020): nothing is learned; frames are averaged and compared with the class texts."""
    return DuseConfig(htpc="none", lsea="mean")


def coop() -> DuseConfig:
    """CoOp (arXiv 2109.01134): learned tokens before the class texts, and nothing else."""
    return DuseConfig(htpc="coop", lsea="mean")


def as_it_is(
    encoder: DualEncoder, space: LabelSpace, *, texts: str = "first", frames: int = 16, device: str = "cpu"
) -> Recogniser:
    """An encoder as a recogniser that has learned nothing: zero-shot, by the class texts of a label space.

    `texts` is `first`, a class's first description, or `mean`, the mean feature of all of them. Its confidence
    is not calibrated. Raises UsageError for a description that is too long for the text tower.
    """
    from dataclasses import replace

    from mimica.recognition.duse.model import Duse
    from mimica.recognition.model import Recogniser

    config = replace(zero_shot(), texts=texts)
    network = Duse(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale).freeze().to(device)
    facts: dict[str, Any] = {
        "kind": "recogniser", "architecture": network.architecture, "encoder": encoder.name,
        "encoder_sha256": encoder.identity, "mimica": __version__, "data": None, "calibrated_on": None, "metrics": {},
        "date": datetime.now(UTC).date().isoformat(),
    }  # fmt: skip
    name = f"zero-shot-{Path(encoder.name).stem}"
    return Recogniser(name=name, network=network, space=space, frames=frames, facts=facts, device=device)
