"""Weights that others trained, from a file or folder of one's own: read without unpickling, told apart by sha256."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import torch

from mimica.errors import AssetError, CheckpointError, MissingExtra

_WEIGHTS = (".safetensors", ".bin", ".pth", ".pt")


def read(path: Path) -> dict[str, Any]:
    """What a `.pth`, `.pt`, `.bin` or `.safetensors` file holds; of pickles only tensors and plain containers.

    Raises AssetError where it is not there, and CheckpointError where it cannot be read or holds anything else.
    """
    if not path.is_file():
        raise AssetError(f"there are no weights at {path}; give the file that you downloaded")
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return dict(load_file(path))
        held = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch and safetensors raise many kinds; all mean that it is no such file
        raise CheckpointError(f"cannot read the weights {path}: {type(error).__name__}") from None
    if not isinstance(held, dict):
        raise CheckpointError(f"cannot read the weights {path}: it holds a {type(held).__name__}, not tensors by name")
    return held


def sha256(path: Path) -> str:
    """The sha256 of a file, or of all weights of a folder and its `config.json`."""
    if not path.exists():
        raise AssetError(f"there are no weights at {path}; give the file or folder that you downloaded")
    told = hashlib.sha256()
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_file() or file.suffix in _WEIGHTS or file.name == "config.json":
            with file.open("rb") as opened:
                told.update(hashlib.file_digest(opened, "sha256").digest())
    return told.hexdigest()


def from_folder(kind: str, folder: Path, **options: Any) -> Any:
    """The model of that class of transformers in a folder as the hub gives it, every weight of it there.

    Raises AssetError, CheckpointError or MissingExtra.
    """
    if not (folder / "config.json").is_file():
        raise AssetError(f"{folder} has no config.json; give a folder as the hub has it")
    try:
        import transformers
    except ImportError:
        raise MissingExtra("transformers", "anomaly") from None
    return _loaded(getattr(transformers, kind), str(folder), str(folder), options)


def from_tensors(kind: str, config: Any, tensors: dict[str, torch.Tensor], where: str, **options: Any) -> Any:
    """The model of that class of transformers with tensors named as the hub's files name them, each used."""
    import transformers

    return _loaded(getattr(transformers, kind), None, where, {**options, "config": config, "state_dict": tensors})


def _loaded(kind: Any, folder: str | None, where: str, options: dict[str, Any]) -> Any:
    import transformers

    logging: Any = transformers.utils.logging

    quiet, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        model, report = kind.from_pretrained(folder, output_loading_info=True, local_files_only=True, **options)
    except Exception as error:  # the library raises many kinds; all mean that it is no such model
        raise CheckpointError(f"{where} is no {kind.__name__} ({' '.join(str(error).split())[:200]})") from None
    finally:
        logging.set_verbosity(quiet)
        if bar:
            logging.enable_progress_bar()
    wrong = [*report["missing_keys"], *(str(one[0]) for one in report["mismatched_keys"])]
    wrong += [key for key in report["unexpected_keys"] if not key.startswith(("pooler.", "classifier."))]
    if wrong:
        raise CheckpointError(f"{where} does not fit {kind.__name__}: {', '.join(sorted(wrong)[:4])}")
    return model.eval()
