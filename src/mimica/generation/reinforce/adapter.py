"""What tuning changes of a generator: low-rank layers beside its own (LoRA), which can be switched off."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mimica import checkpoint
from mimica.errors import CheckpointError, MissingExtra, UsageError


class Adapter:
    """Low-rank layers put into a network in place; at first they change nothing. Its own weights are frozen.

    Hu et al. 2021 (arXiv 2106.09685), by peft. The generator that uses the network uses them from now on.
    """

    def __init__(self, network: nn.Module, layers: Sequence[str], *, rank: int, alpha: int, seed: int = 0) -> None:
        try:
            from peft import LoraConfig, get_peft_model
        except ImportError:
            raise MissingExtra("peft", "generate") from None
        config = LoraConfig(r=rank, lora_alpha=alpha, target_modules=list(layers), init_lora_weights="gaussian")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            try:
                self.module: Any = get_peft_model(network, config)
            except ValueError as error:
                raise UsageError(f"no adapter fits this generator, layers {', '.join(layers)}: {error}") from None
        self.facts = {"rank": rank, "alpha": alpha, "layers": list(layers)}

    def off(self) -> AbstractContextManager[None]:
        """While entered, the generator is what it was before."""
        switched: AbstractContextManager[None] = self.module.disable_adapter()
        return switched

    def save(self, path: Path, **facts: Any) -> None:
        """Write its weights to `path` (`.safetensors`), named as peft names them, and facts beside it."""
        from peft import get_peft_model_state_dict

        checkpoint.save(path, get_peft_model_state_dict(self.module), {"kind": "adapter", **self.facts, **facts})

    def load(self, path: Path) -> dict[str, Any]:
        """Take the weights of an adapter of the same layers, and give its facts. Raises CheckpointError for others."""
        from peft import get_peft_model_state_dict, set_peft_model_state_dict

        tensors, facts = checkpoint.load(path)
        own = {name: tensor.shape for name, tensor in get_peft_model_state_dict(self.module).items()}
        if facts.get("kind") != "adapter" or own != {name: tensor.shape for name, tensor in tensors.items()}:
            raise CheckpointError(f"{path} is no adapter of these layers, rank {self.facts['rank']}; tune one for them")
        if facts["alpha"] != self.facts["alpha"]:
            raise CheckpointError(f"{path} has alpha {facts['alpha']}, not {self.facts['alpha']}; open it with its own")
        set_peft_model_state_dict(self.module, tensors)
        return facts
