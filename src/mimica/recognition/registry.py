"""Every recogniser by name, and how each comes out of its files."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from mimica import checkpoint
from mimica.errors import CheckpointError, UsageError, unknown

if TYPE_CHECKING:
    from mimica.encoders.towers import DualEncoder
    from mimica.labels import LabelSpace
    from mimica.recognition.baselines.probe import Probe, ProbeConfig
    from mimica.recognition.baselines.temporal import Temporal, TemporalConfig
    from mimica.recognition.duse.config import DuseConfig
    from mimica.recognition.duse.model import Duse
    from mimica.recognition.model import Recogniser
    from mimica.recognition.ous.config import OusConfig
    from mimica.recognition.ous.model import Ous

    Choices = DuseConfig | OusConfig | ProbeConfig | TemporalConfig
    """The choices of a method, whichever it is."""
    Learnt = Duse | Ous | Probe | Temporal
    """A network that is trained on an encoder, whichever its method."""

METHODS = {
    "duse": "duse.config:duse",
    "duse-paper": "duse.config:duse_paper",
    "ous": "ous.config:ous",
    "ous-paper": "ous.config:ous_paper",
    "ous-repo": "ous.config:ous_repo",
    "coop": "baselines.match:coop",
    "zero-shot": "baselines.match:zero_shot",
    "linear-probe": "baselines.probe:ProbeConfig",
    "dfer-clip-head": "baselines.temporal:TemporalConfig",
}
"""What can be trained on an encoder, by name: presets of DuSE and OUS, and the baselines that they are held against.

Beside each name what gives its choices, which is imported when it is asked for.
"""


def list_models() -> list[str]:
    """The names of the recognisers that come with the package."""
    return sorted(p.stem for p in checkpoint.SHIPPED.glob("*.json") if checkpoint.read_facts(p)["kind"] == "recogniser")


def locate(name: str) -> Path:
    """The `.safetensors` of a shipped name, or of a file or folder that training wrote. Raises UsageError."""
    shipped = checkpoint.SHIPPED / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    path = Path(name)
    if path.is_dir():
        found = sorted(p for p in path.glob("*.safetensors") if p.stem != "state")
        if len(found) > 1:  # the encoder may lie beside what was learned on it
            found = [p for p in found if p.with_suffix(".json").is_file() and _kind(p) == "recogniser"]
        if len(found) == 1:
            return found[0]
        names = f" ({', '.join(p.name for p in found)})" if found else ""
        raise CheckpointError(f"{path} holds {len(found)} models{names}; name the file of one")
    if path.suffix == ".safetensors" and path.is_file():
        return path
    raise unknown("model", name, [*list_models(), "a path to a .safetensors"])


def facts(name: str) -> dict[str, Any]:
    """A model's card as data, without reading its weights."""
    return checkpoint.read_facts(locate(name))


def load(name: str, *, device: str = "cpu", space: LabelSpace | None = None) -> Recogniser:
    """A recogniser by name or by the path that training wrote, ready to read.

    With a `space` it reads those classes in place of the ones that it learned, by their descriptions alone; it
    needs its encoder's text tower for that, and its confidence is not calibrated then. Raises UsageError for
    an unknown name or device or a method that cannot do so, CheckpointError for weights that do not fit.
    """
    path = locate(name)
    kind = _kind(path)
    if kind != "recogniser":
        names = ", ".join(list_models())
        raise CheckpointError(f"{path} is of the kind '{kind}', not a recogniser; choose from {names}")
    check_device(device)
    from mimica.recognition.store import load_recogniser

    return load_recogniser(path, device=device, space=space)


def method(name: str) -> Choices:
    """The choices of a method by its name, one of METHODS. Raises UsageError for an unknown one."""
    if name not in METHODS:
        raise unknown("method", name, METHODS)
    choices: Choices = resolve_name(f"mimica.recognition.{METHODS[name]}")()
    return choices


def build(config: Choices, encoder: DualEncoder, space: LabelSpace) -> Learnt:
    """A network to be trained: a method's choices on an encoder, for a label space."""
    from mimica.recognition.baselines.probe import Probe, ProbeConfig
    from mimica.recognition.baselines.temporal import Temporal, TemporalConfig
    from mimica.recognition.duse.model import Duse
    from mimica.recognition.ous.config import OusConfig
    from mimica.recognition.ous.model import Ous

    if isinstance(config, OusConfig):
        return Ous(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)
    if isinstance(config, ProbeConfig):
        return Probe(encoder.vision, space, log_scale=encoder.log_scale)
    if isinstance(config, TemporalConfig):
        return Temporal(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)
    return Duse(encoder.vision, encoder.text, space, config, log_scale=encoder.log_scale)


def _kind(path: Path) -> Any:
    return checkpoint.read_facts(path).get("kind")


def check_device(device: str) -> None:
    """Raise UsageError for a device that is not here."""
    import torch

    try:
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError):  # AssertionError: this torch was built without CUDA
        raise UsageError(f"there is no device '{device}' here; `mimica doctor` lists those that there are") from None
