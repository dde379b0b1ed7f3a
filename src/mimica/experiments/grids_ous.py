"""Grids of ablation over OUS (arXiv 2405.18769), beside what its two versions printed.

Where the versions differ it is the second (AAAI) that stands here; each grid's note has the first. Both seem to be of
one split of DFEW, so that they are not to be held against means of five folds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from mimica.errors import UsageError
from mimica.experiments.grids import Grid, Printed, Variant, with_options
from mimica.recognition.ous.config import OusConfig
from mimica.training.recipes import Training

PAPER = OusConfig.paper
_L14 = "CLIP ViT-L/14, one split of DFEW"
_FULL = {"dfew": (64.33, 74.02), "ferv39k": (42.43, 53.30)}
_FIRST = "the first version prints 60.94/74.10 for the whole on DFEW, the second 64.33/74.02"


def losses(recipe: Training) -> Grid:
    """All three losses, or the contrastive one alone (tables IV and V; 3 in the second version)."""
    _refuse_other("ous-losses", recipe)
    return Grid(
        name="ous-losses", where="tables IV, V", reference="all losses", printed_with=_L14, paper=PAPER, note=_FIRST,
        variants=(
            Variant(name="all losses", recipe=with_options(recipe, "losses=global"), printed=_FULL),
            Variant(name="contrast alone", recipe=with_options(recipe, "losses=contrast"),
                    printed={"dfew": (60.81, 71.58), "ferv39k": (40.88, 51.78)}),
        ),
    )  # fmt: skip


def fusion(recipe: Training) -> Grid:
    """The fusion encoder, or the mean of face and scene (the same tables); and what else may go from block to block."""
    _refuse_other("ous-fusion", recipe)
    mean = with_options(recipe, "fusion=mean")
    return Grid(
        name="ous-fusion", where="tables IV, V", reference="encoder", printed_with=_L14, paper=PAPER, note=_FIRST,
        variants=(
            Variant(name="encoder", recipe=recipe, printed=_FULL),
            Variant(name="mean", recipe=mean, printed={"dfew": (59.12, 71.20), "ferv39k": (38.48, 49.50)}),
            Variant(name="mean, contrast alone", recipe=with_options(mean, "losses=contrast"),
                    printed={"dfew": (55.12, 67.82), "ferv39k": (36.65, 45.31)}),
            Variant(name="queries carried", recipe=with_options(recipe, "carry=query")),
            Variant(name="literal blocks", recipe=with_options(recipe, "carry=literal")),
            Variant(name="face as key, scene as value", recipe=with_options(recipe, "kv=respective")),
        ),
    )  # fmt: skip


def prompt(recipe: Training) -> Grid:
    """How many learned tokens stand before a class (table VI of the first version, its own figures)."""
    _refuse_other("ous-prompt", recipe)
    printed: Mapping[int, Printed] = {
        16: {"dfew": (58.57, 72.13)},
        32: {"dfew": (60.50, 73.50)},
        64: {"dfew": (60.94, 74.10)},
    }
    variants = tuple(
        Variant(name=f"{length}", recipe=with_options(recipe, f"prompt={length}"), printed=figures)
        for length, figures in printed.items()
    )
    return Grid(
        name="ous-prompt", where="table VI", reference="64", printed_with=_L14, paper=PAPER, variants=variants,
        note="table III of the same paper prints 63.24/72.39 for a length of 32 with 12 blocks",
    )  # fmt: skip


def blocks(recipe: Training) -> Grid:
    """How many blocks the fusion encoder has, by the length of the prompt (table III; 4 in the second version)."""
    _refuse_other("ous-blocks", recipe)
    printed: Mapping[tuple[int, int], tuple[float, float]] = {
        (8, 16): (56.93, 70.60), (8, 32): (59.91, 72.91), (8, 64): (60.97, 73.68),
        (12, 16): (58.42, 71.88), (12, 32): (63.24, 72.39), (12, 64): (64.33, 74.02),
        (16, 16): (60.15, 73.50), (16, 32): (59.97, 73.59), (16, 64): (61.62, 74.02),
    }  # fmt: skip
    variants = tuple(
        Variant(
            name=f"{number} blocks, {length} tokens", printed={"dfew": figures},
            recipe=with_options(recipe, f"blocks={number}", f"prompt={length}"),
        )
        for (number, length), figures in printed.items()
    )  # fmt: skip
    return Grid(
        name="ous-blocks", where="table III", reference="12 blocks, 64 tokens", printed_with=_L14, paper=PAPER,
        variants=variants, note=_FIRST,
    )  # fmt: skip


def _refuse_other(name: str, recipe: Training) -> None:
    if not isinstance(recipe.model, OusConfig):
        raise UsageError(f"{name} varies OUS, and the recipe is one of {recipe.method}; give --recipe ous_vit_l14")


OUS_GRIDS: dict[str, Callable[[Training], Grid]] = {
    "ous-losses": losses,
    "ous-fusion": fusion,
    "ous-prompt": prompt,
    "ous-blocks": blocks,
}
"""Every ablation of OUS by its name."""
