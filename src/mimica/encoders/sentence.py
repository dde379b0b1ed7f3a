"""A BERT sentence encoder as a text tower that takes prompts at every layer (all-MiniLM-L6-v2 by default).

N sentences, L tokens, n prompt tokens, D width, d joint dimension.

Sentence-BERT (arXiv 1908.10084) pools the mean of all tokens. Prompts stand behind the class
token, as in DuSE's text stream; they are read by every token of their layer, their own outputs are
dropped, and they are not pooled. With no prompts the features are the library's own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from mimica import assets
from mimica.encoders.library import quiet, tokens
from mimica.encoders.towers import After, Place, Prompts, freeze, last_of, pick, step_through
from mimica.errors import CheckpointError, MissingExtra


class SentenceTower(nn.Module):
    """A text tower over a frozen BERT; `project` takes its sentence feature into the joint space."""

    recompute = False

    def __init__(self, folder: Path | None = None, *, dim: int = 256) -> None:
        super().__init__()
        try:
            from transformers import AutoTokenizer, BertModel
        except ImportError:
            raise MissingExtra("transformers", "clip") from None
        folder = folder or assets.find("minilm")
        with quiet():
            self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            # SDPA takes the mask of ones and zeros that stepping through the layers by hand needs.
            loaded: Any = BertModel.from_pretrained(
                folder, add_pooling_layer=False, attn_implementation="sdpa", local_files_only=True,
                output_loading_info=True,
            )  # fmt: skip
        self.bert, report = loaded
        if missing := report["missing_keys"]:  # the library would make them up and go on
            raise CheckpointError(f"the sentence encoder in {folder} lacks {len(missing)} weights; fetch it again")
        freeze(self.bert)
        self.width = self.bert.config.hidden_size
        self.layers = self.bert.config.num_hidden_layers
        self.longest = min(self.tokenizer.model_max_length, self.bert.config.max_position_embeddings)
        self.dim = dim
        self.project = nn.Linear(self.width, dim, bias=False)

    def train(self, mode: bool = True) -> SentenceTower:
        """Training concerns the projection only: the frozen BERT keeps its dropout off."""
        super().train(mode)
        self.bert.eval()
        return self

    def sentences(
        self, texts: Sequence[str], prompts: Prompts = (), *, after: After = "drop", place: Place = "start"
    ) -> Tensor:
        """Sentence features [N, D] before the projection, of unit length."""
        ids, mask = self._read(texts)
        x = last_of(self._steps(ids, mask, prompts, after, place))
        weight = mask[..., None].to(x.dtype)
        return torch.nn.functional.normalize((x * weight).sum(1) / weight.sum(1), dim=-1)

    def forward(
        self, sentences: Sequence[str], prompts: Prompts = (), *, after: After = "drop", place: Place = "start"
    ) -> Tensor:
        """Joint features [N, d] of N sentences. Raises UsageError for one that is longer than the BERT can read."""
        features: Tensor = self.project(self.sentences(sentences, prompts, after=after, place=place))
        return features

    def layer_tokens(
        self, sentences: Sequence[str], prompts: Prompts = (), *, layers: Sequence[int], after: After = "drop"
    ) -> dict[int, Tensor]:
        """The tokens [N, L, D] that leave each layer asked for, counted from 1; 0 is what enters the first.

        Sentences are padded at their end to the longest.
        """
        return pick(self._steps(*self._read(sentences), prompts, after, "start"), layers, self.layers)

    def _read(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Token numbers [N, L] and which of them [N, L] are a sentence's own. Prompts get no position and take none."""
        read = tokens(self.tokenizer, texts, longest=self.longest)
        ids = pad_sequence([torch.tensor(line) for line in read], True, self.tokenizer.pad_token_id)
        mask = torch.arange(ids.shape[1]) < torch.tensor([[len(line)] for line in read])
        device = self.project.weight.device
        return ids.to(device), mask.to(device)

    def _steps(self, ids: Tensor, mask: Tensor, prompts: Prompts, after: After, place: Place) -> Iterator[Tensor]:
        at = 1 if place == "start" else ids.shape[1]

        def run(layer: nn.Module, x: Tensor, n: int) -> Tensor:
            seen = torch.cat([mask[:, :at], mask.new_ones(len(mask), n), mask[:, at:]], dim=1)
            y: Tensor = layer(x, attention_mask=seen[:, None, None, :])
            return y

        x = self.bert.embeddings(input_ids=ids)
        return step_through(self.bert.encoder.layer, x, prompts, at=at, after=after, recompute=self.recompute, run=run)
