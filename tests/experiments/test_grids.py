from __future__ import annotations

from dataclasses import replace

import pytest

from mimica.errors import UsageError
from mimica.experiments.grids import GRIDS, grid
from mimica.recognition.baselines.probe import ProbeConfig
from mimica.recognition.baselines.temporal import TemporalConfig
from mimica.recognition.duse.config import DuseConfig
from mimica.training.generated import Mixture
from mimica.training.recipes import Training, duse_compact

PRINTED_ON_DFEW = {
    "duse-modules": {"DuSE": (64.88, 75.36), "neither (CoOp)": (55.64, 66.80)},
    "duse-heads": {"2": (64.37, 74.92), "4": (64.88, 75.36), "6": (64.21, 74.83)},
    "duse-beta": {"0.3": (61.26, 71.82), "0.5": (62.01, 73.56), "0.7": (64.88, 75.36), "0.9": (63.38, 74.33)},
    "duse-tokens": {"4": (64.88, 75.36)},
}


def recipe(encoder: str = "openai/clip-vit-base-patch32") -> Training:
    return replace(duse_compact(), encoder=encoder, model=DuseConfig(attention_heads=2))


def model(name: str, variant: str) -> DuseConfig:
    found = next(one for one in grid(name, recipe()).variants if one.name == variant).recipe.model
    assert isinstance(found, DuseConfig)
    return found


@pytest.mark.parametrize("name", GRIDS)
def test_the_reference_is_one_of_the_variants_and_names_are_told_apart(name: str) -> None:
    found = grid(name, recipe())
    names = [variant.name for variant in found.variants]
    assert found.name == name
    assert found.reference in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("name", [name for name in GRIDS if name.startswith("duse-")])
def test_variants_differ_in_the_model_alone_and_the_probe_in_its_rate(name: str) -> None:
    base = recipe()
    for variant in grid(name, base).variants:
        rate = base.loop.lr * (10 if variant.name == "linear probe" else 1)
        same = replace(variant.recipe, model=base.model, method=base.method, loop=replace(variant.recipe.loop, lr=rate))
        assert same == replace(base, loop=replace(base.loop, lr=rate))
        assert variant.recipe.loop.lr == rate


def test_each_variant_changes_the_one_option_that_it_is_named_after() -> None:
    own = recipe().model
    assert isinstance(own, DuseConfig)
    for name, option, kind in (
        ("duse-heads", "heads", int),
        ("duse-beta", "beta", float),
        ("duse-tokens", "tokens", int),
    ):
        for variant in grid(name, recipe()).variants:
            assert variant.recipe.model == replace(own, **{option: kind(variant.name)})
    for variant in grid("duse-depth", recipe()).variants:
        assert variant.recipe.model == replace(own, depth=variant.name)
    assert model("duse-modules", "DuSE") == own
    assert model("duse-modules", "without HTPC") == replace(own, htpc="coop")
    assert model("duse-modules", "without LSEA") == replace(own, lsea="mean")
    assert model("duse-modules", "neither (CoOp)") == replace(own, htpc="coop", lsea="mean")
    probe, head = grid("duse-modules", recipe()).variants[-2:]
    assert (probe.recipe.model, head.recipe.model) == (ProbeConfig(), TemporalConfig())


def test_ways_out_of_imbalance_differ_in_how_classes_are_drawn_and_weighed() -> None:
    base = replace(recipe(), balance=0.3, adjust=0.2)
    found = {one.name: one.recipe for one in grid("imbalance", base).variants}
    ways = {name: (how.balance, how.adjust) for name, how in found.items()}
    assert ways == {"as it is": (0, 0), "balance 0.5": (0.5, 0), "balance 1": (1, 0), "adjust 1": (0, 1)}
    assert all(replace(how, balance=0.3, adjust=0.2) == base for how in found.values())


def test_the_arms_of_generated_clips_differ_in_them_and_in_how_classes_are_drawn_and_weighed() -> None:
    base = replace(recipe(), balance=0.3, adjust=0.2, mixture=Mixture(share=0.4, weight=0.6))
    found = grid("generated", base)
    assert found.mixes
    ways = {one.name: (one.recipe.mixture.share, one.recipe.balance, one.recipe.adjust) for one in found.variants}
    assert ways == {
        "none": (0, 0, 0), "class-balanced sampling": (0, 1, 0), "logit adjustment": (0, 0, 1),
        "generated": (0.4, 0, 0), "generated + class-balanced": (0.4, 1, 0),
    }  # fmt: skip
    assert found.reference in ways
    same = {"balance": 0.3, "adjust": 0.2, "mixture": base.mixture}
    assert all(replace(one.recipe, **same) == base for one in found.variants)
    without = replace(base, mixture=Mixture(share=0.0))
    assert grid("generated", without).variants[3].recipe.mixture.share == 0.5


@pytest.mark.parametrize("name", PRINTED_ON_DFEW)
def test_what_the_paper_prints_stands_beside_its_variant(name: str) -> None:
    printed = {variant.name: variant.printed for variant in grid(name, recipe()).variants if variant.printed}
    assert {variant: figures["dfew"] for variant, figures in printed.items()} == PRINTED_ON_DFEW[name]
    assert all(uar < war for figures in printed.values() for uar, war in figures.values())


def test_figures_by_depth_are_those_of_the_recipes_own_encoder() -> None:
    def printed(encoder: str) -> dict[str, tuple[float, float] | None]:
        return {v.name: v.printed.get("ferv39k") for v in grid("duse-depth", recipe(encoder)).variants}

    assert printed("openai/clip-vit-base-patch16")["normal"] == (37.32, 48.05)
    assert printed("compact") == {"shallow": None, "normal": None, "deep": None}
    assert grid("duse-depth", recipe("compact")).printed_with == ""


def test_a_large_clip_is_not_asked_for_more_prompted_layers_than_its_text_tower_has() -> None:
    assert [v.name for v in grid("duse-depth", recipe("openai/clip-vit-large-patch14")).variants] == [
        "shallow",
        "normal",
    ]


def test_an_unknown_ablation_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(UsageError, match="duse-modules"):
        grid("modules", recipe())
