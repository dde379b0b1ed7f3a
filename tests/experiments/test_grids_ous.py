from __future__ import annotations

from dataclasses import replace

import pytest

from mimica.errors import UsageError
from mimica.experiments.grids import grid
from mimica.experiments.grids_ous import OUS_GRIDS
from mimica.training.recipes import duse_compact, ous_compact, ous_vit_l14

PRINTED_ON_DFEW = {
    "ous-losses": {"all losses": (64.33, 74.02), "contrast alone": (60.81, 71.58)},
    "ous-fusion": {"encoder": (64.33, 74.02), "mean": (59.12, 71.20), "mean, contrast alone": (55.12, 67.82)},
    "ous-prompt": {"16": (58.57, 72.13), "32": (60.50, 73.50), "64": (60.94, 74.10)},
}


@pytest.mark.parametrize("name", OUS_GRIDS)
def test_the_reference_is_what_the_paper_recommends_and_variants_differ_in_the_model_alone(name: str) -> None:
    recipe = ous_vit_l14()
    found = grid(name, recipe)
    assert (found.name, found.paper) == (name, "arXiv 2405.18769")
    of = {variant.name: variant.recipe for variant in found.variants}
    assert of[found.reference] == recipe
    assert len(of) == len(found.variants) == len({repr(one.model) for one in of.values()})
    assert all(replace(one, model=recipe.model) == recipe for one in of.values())


@pytest.mark.parametrize("name", PRINTED_ON_DFEW)
def test_figures_are_those_that_the_paper_printed(name: str) -> None:
    printed = {v.name: v.printed["dfew"] for v in grid(name, ous_compact()).variants if v.printed}
    assert printed == PRINTED_ON_DFEW[name]


def test_blocks_and_lengths_are_those_of_the_papers_grid() -> None:
    variants = grid("ous-blocks", ous_compact()).variants
    found = {(v.recipe.model.blocks, v.recipe.model.prompt): v.printed["dfew"] for v in variants}  # type: ignore[union-attr]
    assert len(found) == 9
    assert found[12, 64] == max(found.values())
    assert (found[8, 16], found[16, 64]) == ((56.93, 70.60), (61.62, 74.02))


@pytest.mark.parametrize("name", OUS_GRIDS)
def test_a_recipe_of_another_method_is_refused(name: str) -> None:
    with pytest.raises(
        UsageError, match=f"{name} varies OUS, and the recipe is one of duse; give --recipe ous_vit_l14"
    ):
        grid(name, duse_compact())
