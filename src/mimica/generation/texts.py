"""Texts as vectors of unit length [N, D], by MiniLM where it is on this machine, else by words and their parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from mimica import assets
from mimica.errors import MissingExtra

Embedding = Literal["auto", "minilm", "words"]
_DIMENSIONS, _AT_ONCE = 64, 64


@dataclass(frozen=True, slots=True, kw_only=True)
class TextEncoder:
    """Texts to vectors of unit length; `name` says by what, `minilm` or `words`."""

    name: str
    encode: Callable[[Sequence[str]], np.ndarray]

    def __call__(self, texts: Sequence[str]) -> np.ndarray:
        """Vectors [N, D] of texts; each different text is read once."""
        if not texts:
            return np.zeros((0, 1))
        different = list(dict.fromkeys(texts))
        vectors = self.encode(different)
        places = {text: place for place, text in enumerate(different)}
        return np.asarray(vectors[[places[text] for text in texts]])


def text_encoder(texts: Sequence[str], embedding: Embedding = "auto") -> TextEncoder:
    """An encoder of texts; `words` learns from the texts given here, `auto` is MiniLM where the asset is present.

    Raises AssetError or MissingExtra where MiniLM is asked for by name and is not there.
    """
    if embedding == "minilm" or (embedding == "auto" and _has_minilm()):
        return TextEncoder(name="minilm", encode=_minilm())
    return TextEncoder(name="words", encode=_words(texts))


def _has_minilm() -> bool:
    from importlib.util import find_spec

    return find_spec("transformers") is not None and assets.check("minilm") == "present"


def _minilm() -> Callable[[Sequence[str]], np.ndarray]:
    import torch

    from mimica.encoders.sentence import SentenceTower

    tower = SentenceTower(assets.find("minilm")).eval()

    def encode(texts: Sequence[str]) -> np.ndarray:
        with torch.no_grad():
            parts = [tower.sentences(texts[i : i + _AT_ONCE]) for i in range(0, len(texts), _AT_ONCE)]
        return np.asarray(torch.cat(parts), dtype=float)

    return encode


def _words(texts: Sequence[str]) -> Callable[[Sequence[str]], np.ndarray]:
    """Latent semantic analysis (Deerwester et al. 1990): words weighed by rarity, in 64 directions at most."""
    try:
        from sklearn.decomposition import TruncatedSVD
        from sklearn.feature_extraction.text import TfidfVectorizer
    except ImportError:
        raise MissingExtra("scikit-learn", "generate") from None
    counts = TfidfVectorizer(sublinear_tf=True, stop_words="english")
    table = counts.fit_transform(dict.fromkeys(texts))
    most = min(_DIMENSIONS, min(table.shape) - 1)
    directions = TruncatedSVD(most, random_state=0).fit(table) if most > 1 else None

    def encode(asked: Sequence[str]) -> np.ndarray:
        seen = counts.transform(asked)
        vectors = seen.toarray() if directions is None else directions.transform(seen)
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(vectors / np.where(length > 0, length, 1.0))

    return encode
