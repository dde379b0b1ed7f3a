"""Bidirectional training-free message passing between a part and the bank, in sparse closed form.

N nodes of the part, A of the bank, K hyperedges of the part, M of the bank, C channels. The joint hypergraph has the
part's hyperedges, the bank's, and a pair for every node and its most similar on the other side. With
W = H De⁻¹ Hᵀ + I and Â = D^-½ W D^-½ the features become
α Σ_{l<L} (1-α)^l Â^l X + (1-α)^L Â^L X (README, *Message passing*). No matrix of (N + A)² is ever made: the rows of
H De⁻¹ Hᵀ sum to the nodes' degrees, and a pair is one entry of a sparse N x A matrix.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from mimica.anomaly.hypergraph import unit

if TYPE_CHECKING:
    from collections.abc import Iterator

CHUNK = 4096
"""Bank nodes compared at a time, which bounds the memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One side of the joint hypergraph: the incidence of its own hyperedges and the pairs that its nodes are in."""

    incidence: Any
    """Sparse [n, K]."""
    sizes: np.ndarray
    """[K], never 0."""
    pairs: np.ndarray
    """[n], how many pairs each node is in."""
    degree: np.ndarray
    """[n], 1 + all hyperedges that each node is in."""


def propagate(
    part: np.ndarray, bank: np.ndarray, part_incidence: np.ndarray, bank_hard: np.ndarray,
    *, layers: int, alpha: float, bank_unit: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """The features of the part [N, C] after it has heard from the bank [A, C]; the bank stays as it is.

    `bank_hard` [A] is each node's hyperedge, negative for none. `bank_unit` is the bank at unit length where it is
    at hand.
    """
    if not layers or not len(bank):
        return part
    to_bank, to_part = most_similar(unit(part), unit(bank) if bank_unit is None else bank_unit)
    joint = _Joint(part_incidence, bank_hard, to_bank, to_part)
    step = (part, bank)
    total = alpha * part
    for layer in range(1, layers + 1):
        last = layer == layers
        step = joint.apply(*step, bank_too=not last)
        total = total + (1 - alpha) ** layer * (1.0 if last else alpha) * step[0]
    return np.asarray(total, np.float32)


def most_similar(part: np.ndarray, bank: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The bank node most similar to each node of the part [N], and the other way round [A]; rows at unit length."""
    best = np.full(len(part), -np.inf, np.float32)
    to_bank = np.zeros(len(part), np.int64)
    to_part = np.zeros(len(bank), np.int64)
    for start, rows in _chunks(bank):
        similar = part @ rows.T
        to_part[start : start + len(rows)] = similar.argmax(0)
        top = similar.argmax(1)
        value = similar[np.arange(len(part)), top]
        better = value > best
        best[better], to_bank[better] = value[better], start + top[better]
    return to_bank, to_part


def _chunks(rows: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    for start in range(0, len(rows), CHUNK):
        yield start, rows[start : start + CHUNK]


class _Joint:
    def __init__(
        self, part_incidence: np.ndarray, bank_hard: np.ndarray, to_bank: np.ndarray, to_part: np.ndarray
    ) -> None:
        from scipy.sparse import csr_array

        N, A = len(to_bank), len(to_part)
        inside = np.flatnonzero(bank_hard >= 0)
        count = int(bank_hard.max()) + 1 if len(inside) else 0
        rows = np.concatenate([np.arange(N), to_part])
        columns = np.concatenate([to_bank, np.arange(A)])
        self.pairs = csr_array((np.ones(N + A, np.float32), (rows, columns)), shape=(N, A))
        bank_incidence = csr_array((np.ones(len(inside), np.float32), (inside, bank_hard[inside])), shape=(A, count))
        self.part = _side(csr_array(part_incidence.astype(np.float32)), np.bincount(rows, minlength=N))
        self.bank = _side(bank_incidence, np.bincount(columns, minlength=A))

    def apply(self, part: np.ndarray, bank: np.ndarray, *, bank_too: bool) -> tuple[np.ndarray, np.ndarray]:
        """Â times the features of both sides; the bank's rows only where they are asked for."""
        part_root, bank_root = (np.sqrt(side.degree)[:, None] for side in (self.part, self.bank))
        scaled = part / part_root
        # The bank's scale goes into the pairs, so that no second copy of the bank is made.
        halves = self.pairs.copy()
        halves.data /= 2 * bank_root[halves.indices, 0]
        heard = halves @ bank
        new_part = (_within(self.part, scaled) + heard) / part_root
        if not bank_too:
            return new_part, bank
        new_bank = (_within(self.bank, bank / bank_root) + self.pairs.T @ (scaled / 2)) / bank_root
        return new_part, new_bank


def _side(incidence: Any, pairs: np.ndarray) -> Side:
    sizes = np.maximum(np.asarray(incidence.sum(0)).ravel(), 1e-12)
    degree = 1 + np.asarray(incidence.sum(1)).ravel() + pairs
    return Side(
        incidence=incidence, sizes=sizes.astype(np.float32), pairs=pairs.astype(np.float32),
        degree=degree.astype(np.float32),
    )  # fmt: skip


def _within(side: Side, scaled: np.ndarray) -> np.ndarray:
    """What stays on one side: the node itself, its own half of each pair, the means of its hyperedges."""
    means = (side.incidence.T @ scaled) / side.sizes[:, None]
    return np.asarray(scaled * (1 + side.pairs / 2)[:, None] + side.incidence @ means)
