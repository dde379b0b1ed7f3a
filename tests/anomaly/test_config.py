"""Options are checked, presets are what they say."""

from __future__ import annotations

from dataclasses import fields

import pytest

from mimica.anomaly.config import CifConfig, default, nearest, preset, reference
from mimica.errors import UsageError


def test_the_reference_preset_is_what_the_public_code_runs() -> None:
    config = reference()
    assert (config.side, config.cells, config.edges, config.ratio) == (224, 28, 4, 0.1)
    assert (config.membership, config.hard_edge, config.incidence) == (0.9, "first", "binary")
    assert (config.layers, config.alpha, config.nearest_edges, config.neighbours) == (1, 0.9, 3, 9)
    assert (config.fusion, config.fusion_power, config.smoothing) == ("product", 1.5, "boxes")
    assert (config.background, config.start, config.clusters) == ("silenced", "random_dropped", "by_shot")
    assert (config.foreground, config.plane_distance, config.fills) == ("corners", 0.007, 3)


def test_the_baseline_differs_from_the_default_in_the_method_alone() -> None:
    changed = {f.name for f in fields(CifConfig) if getattr(nearest(), f.name) != getattr(default(), f.name)}
    assert changed == {"memory", "layers", "search", "node_units"}


def test_a_config_goes_through_facts_unchanged() -> None:
    config = preset("reference", ["edges=8", "silhouette=true", "alpha=0.5"])
    assert CifConfig.from_facts(config.facts()) == config
    assert (config.edges, config.silhouette, config.alpha) == (8, True, 0.5)


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("edge=4", "did you mean 'edges'"), ("edges=0", "edges of CIF is 1 or more"), ("edges=many", "is a number"),
        ("alpha=2", "at most 1"), ("alpha=nan", "finite"), ("search=near", "Choose from: hyperedge, nearest"),
        ("missing=perhaps", "true, false"), ("side=225", "multiple of its cells"),
    ],
)  # fmt: skip
def test_an_impossible_setting_is_refused_in_one_sentence(setting: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        preset("default", [setting])


def test_an_unknown_preset_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="default, reference, nearest"):
        preset("best")


def test_options_stand_beside_what_the_public_code_does() -> None:
    told = {option.name: (option.value, option.reference) for option in default().options()}
    assert told["background"] == ("scored", "silenced")
