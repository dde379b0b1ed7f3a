"""Each module of CIF, and each mend of `default`, off alone: what every one of them brings."""

from __future__ import annotations

from mimica.anomaly.config import CifConfig, reference

MODULES = {
    "without structure memory": ("memory=plain",),
    "without guided search": ("search=nearest",),
    "without messages": ("layers=0",),
}
"""The three modules that the paper's own ablation has, and how each is put off."""

_MENDS = {
    "background silenced": ("background",),
    "no silhouette": ("silhouette",),
    "unmeasured depth silent": ("missing",),
    "part by its corners": ("foreground", "plane_distance"),
    "clusters by shot": ("clusters", "shot_order"),
    "random start dropped": ("start",),
    "nodes by size, rounded": ("quota",),
    "first hyperedge": ("hard_edge",),
    "product of distances": ("patch_score",),
    "product of views": ("fusion", "fusion_power", "missing"),
    "one unit for all nodes": ("node_units",),
    "re-weighted maximum": ("image_score", "missing"),
    "boxes": ("smoothing",),
}
"""Mends of `default` by what the public code does instead, and the options that each is about.

A product over views is nothing where depth is whole, so that unmeasured depth is no view where views are multiplied."""


def variants(name: str, config: CifConfig) -> dict[str, CifConfig]:
    """What to measure: a configuration by its name, then with each module and each mend off alone, and the reference.

    A mend that the configuration does not have is left out; so is a module that is off already.
    """
    public = reference()
    found = {name: config}
    for told, settings in MODULES.items():
        found[told] = config.changed(settings)
    for told, options in _MENDS.items():
        found[told] = config.changed([f"{option}={getattr(public, option)}" for option in options])
    kept = {told: one for told, one in found.items() if told == name or one != config}
    if name != "reference":
        kept["reference"] = config.changed(
            [f"{o.name}={o.reference}" for o in config.options() if o.reference is not None and o.name not in _SHARED]
        )
    return kept


_SHARED = ("side", "cells", "seed")
"""What features and copies are made with, once for all variants."""
