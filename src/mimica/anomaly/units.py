"""What good parts score: the unit of each view, and of each node of the bank.

N patches, A nodes of a view. At a part's rim good patches lie far from the bank, in its middle near: a patch is
judged by what is usual at the node that it is nearest to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mimica.anomaly.bank import Bank
from mimica.anomaly.search import Found, nearest_nodes
from mimica.anomaly.seen import Seen

LEAST_UNIT = {"missing": 0.25}
"""A view's unit is no less than this: a good part may miss a quarter of the points in and around a patch."""
PRIOR = 10.0
"""So many patches of the usual score are added to those at a node, which may have seen few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Units:
    """What scores are divided by: `nodes` [A] by modality, about 1, and then one number for each of `views`."""

    views: Mapping[str, float]
    nodes: Mapping[str, np.ndarray]

    def apply(self, found: Mapping[str, Found]) -> dict[str, np.ndarray]:
        """The scores [N] of each view in its unit, so that 1 is the most that good patches usually have."""
        return {view: _at_nodes(one, self.nodes.get(view)) / self.views.get(view, 1.0) for view, one in found.items()}

    def grown(self, bank: Bank) -> Units:
        """The same for a bank that has grown: new nodes are as usual."""
        nodes = {
            view: np.concatenate([own, np.ones(len(bank.views[view].hard) - len(own))])  # type: ignore[index]
            for view, own in self.nodes.items()
        }
        return replace(self, nodes=nodes)


def units_of(good: Sequence[tuple[Seen, Mapping[str, Found]]], bank: Bank) -> Units:
    """The units of a bank, from good parts and what was found of them by a bank that they are not in."""
    if not good:
        return Units(views={}, nodes={})
    nodes: dict[str, np.ndarray] = {}
    if bank.config.node_units:
        for modality, view in bank.views.items():
            at = np.concatenate([nearest_nodes(view, seen.features[modality]) for seen, _ in good])
            scores = np.concatenate([found[modality].patches for _, found in good])
            nodes[modality] = _usual(at[scores > 0], scores[scores > 0], len(view.hard))
    views = {}
    for name in good[0][1]:
        values = np.concatenate([_at_nodes(found[name], nodes.get(name)) for _, found in good])
        views[name] = max(float(np.quantile(values, bank.config.unit)), LEAST_UNIT.get(name, 1e-9))
    return Units(views=views, nodes=nodes)


def _usual(at: np.ndarray, scores: np.ndarray, count: int) -> np.ndarray:
    """The mean score [A] of patches nearest to each node over the mean of all, drawn towards 1 where they are few."""
    if not len(scores):
        return np.ones(count)
    relative = scores / scores.mean()
    return (np.bincount(at, relative, count) + PRIOR) / (np.bincount(at, minlength=count) + PRIOR)


def _at_nodes(found: Found, nodes: np.ndarray | None) -> np.ndarray:
    return found.patches if nodes is None else found.patches / nodes[found.nearest]
