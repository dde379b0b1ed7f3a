"""The mean of a clip's frames against class texts: DuSE with its parts taken out, so that nothing else differs."""

from __future__ import annotations

from mimica.recognition.duse.config import DuseConfig


def zero_shot() -> DuseConfig:
    """CLIP as it is (arXiv 2103.00020): nothing is learned; frames are averaged and compared with the class texts."""
    return DuseConfig(htpc="none", lsea="mean")


def coop() -> DuseConfig:
    """CoOp (arXiv 2109.01134): learned tokens before the class texts, and nothing else."""
    return DuseConfig(htpc="coop", lsea="mean")
