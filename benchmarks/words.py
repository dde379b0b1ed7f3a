"""What stands for CLIP's tokenizer where the weights are random."""

from __future__ import annotations

from collections.abc import Sequence


class Words:
    """A number a word, since random weights know no language."""

    def __len__(self) -> int:
        return 49408

    def __call__(self, sentences: Sequence[str], verbose: bool = False) -> dict[str, list[list[int]]]:
        numbers = [[1 + sum(map(ord, word)) for word in sentence.split()] for sentence in sentences]
        return {"input_ids": [[49406, *of, 49407] for of in numbers]}
