"""Grids of ablation: for each of a paper's tables, the variants of a recipe, and what the paper printed for them.

Figures are UAR and WAR in percent as their authors printed them (DuSE, arXiv 2604.12777, tables III to V; OUS, arXiv
2405.18769, in `grids_ous`). They are theirs, with CLIP, on the data that stands beside them; nothing here was measured
by us.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from mimica.errors import unknown
from mimica.recognition.duse.config import DuseConfig
from mimica.training.generated import Mixture
from mimica.training.recipes import Training, with_method

Printed = Mapping[str, tuple[float, float]]
"""UAR and WAR in percent by the kind of data, `dfew` or `ferv39k`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One row of a table: its name, the recipe with the one thing changed, and what was printed for it, if anything."""

    name: str
    recipe: Training
    printed: Printed = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """The variants of a recipe. `where` is the table in the paper, `reference` the variant others are held to.

    `printed_with` is what the printed figures of `paper` were reached with, and `note` what they leave open. `mixes` is
    whether some variants learn from generated clips beside real ones, and others not.
    """

    name: str
    where: str
    reference: str
    variants: tuple[Variant, ...]
    printed_with: str = ""
    note: str = ""
    paper: str = DuseConfig.paper
    mixes: bool = False


def grid(name: str, recipe: Training) -> Grid:
    """The grid of that name over a recipe. Raises UsageError for an unknown one, or a recipe of another method."""
    from mimica.experiments.grids_ous import OUS_GRIDS

    every = {**GRIDS, **OUS_GRIDS}
    if name not in every:
        raise unknown("ablation", name, every)
    return every[name](recipe)


def with_options(recipe: Training, *options: str, method: str | None = None) -> Training:
    """The same recipe with a method's options set, and nothing else changed."""
    return with_method(recipe, method, options)


_L14 = "CLIP ViT-L/14, depth normal"
_FULL = {"dfew": (64.88, 75.36), "ferv39k": (43.39, 53.05)}


def modules(recipe: Training) -> Grid:
    """With and without each of the two parts (table III); a linear probe and a temporal head on the same encoder."""
    with_coop, with_mean = with_options(recipe, "htpc=coop"), with_options(recipe, "lsea=mean")
    return Grid(
        name="duse-modules", where="table III", reference="DuSE", printed_with=_L14,
        variants=(
            Variant(name="DuSE", recipe=recipe, printed=_FULL),
            Variant(name="without HTPC", recipe=with_coop),
            Variant(name="without LSEA", recipe=with_mean),
            Variant(name="neither (CoOp)", recipe=with_options(recipe, "htpc=coop", "lsea=mean"),
                    printed={"dfew": (55.64, 66.80), "ferv39k": (33.74, 46.26)}),
            Variant(name="linear probe", recipe=_probe(recipe)),
            Variant(name="temporal head", recipe=with_options(recipe, method="dfer-clip-head")),
        ),
        note="of the two rows with one part the paper prints 58.86/70.28 and 60.27/71.83 on DFEW, 35.77/47.85 and "
        "36.53/48.80 on FERV39k; which is which, the text of its table does not show",
    )  # fmt: skip


def depth(recipe: Training) -> Grid:
    """How many layers take prompts (table IV), on the encoder of the recipe."""
    printed = _DEPTHS.get(recipe.encoder, {})
    return Grid(
        name="duse-depth", where="table IV", reference="normal", printed_with=recipe.encoder if printed else "",
        variants=tuple(
            Variant(name=word, recipe=with_options(recipe, f"depth={word}"), printed=printed.get(word, {}))
            for word in ("shallow", "normal", "deep")
            if word != "deep" or "patch14" not in recipe.encoder  # which would prompt 16 of 12 text layers
        ),
    )  # fmt: skip


_DEPTHS: Mapping[str, Mapping[str, Printed]] = {
    "openai/clip-vit-base-patch32": {
        "shallow": {"dfew": (49.95, 61.35), "ferv39k": (33.47, 44.92)},
        "normal": {"dfew": (53.22, 64.70), "ferv39k": (35.02, 46.87)},
        "deep": {"dfew": (57.75, 68.76), "ferv39k": (36.93, 48.54)},
    },
    "openai/clip-vit-base-patch16": {
        "shallow": {"dfew": (55.27, 65.97), "ferv39k": (35.14, 46.13)},
        "normal": {"dfew": (56.84, 68.15), "ferv39k": (37.32, 48.05)},
        "deep": {"dfew": (59.86, 71.94), "ferv39k": (38.95, 50.03)},
    },
    "openai/clip-vit-large-patch14": {
        "shallow": {"dfew": (57.03, 68.98), "ferv39k": (37.28, 47.94)},
        "normal": _FULL,
    },
}


def heads(recipe: Training) -> Grid:
    """How many heads the aggregator has (table V)."""
    printed: Mapping[int, Printed] = {
        2: {"dfew": (64.37, 74.92), "ferv39k": (43.16, 52.71)},
        4: _FULL,
        6: {"dfew": (64.21, 74.83), "ferv39k": (42.94, 52.08)},
    }
    return _option("duse-heads", "heads", printed, recipe, where="table V", reference="4")


def beta(recipe: Training) -> Grid:
    """The share of what was seen against what the classes mean (table V)."""
    printed: Mapping[float, Printed] = {
        0.3: {"dfew": (61.26, 71.82), "ferv39k": (38.55, 48.73)},
        0.5: {"dfew": (62.01, 73.56), "ferv39k": (40.98, 50.09)},
        0.7: _FULL,
        0.9: {"dfew": (63.38, 74.33), "ferv39k": (42.47, 51.74)},
    }
    return _option("duse-beta", "beta", printed, recipe, where="table V", reference="0.7")


def tokens(recipe: Training) -> Grid:
    """How many prompt tokens a layer has, an ablation that the paper's text names (IV-D) and no table prints."""
    printed: Mapping[int, Printed] = {1: {}, 2: {}, 4: _FULL, 8: {}}
    return _option("duse-tokens", "tokens", printed, recipe, where="IV-D", reference="4")


def imbalance(recipe: Training) -> Grid:
    """What to do where classes are far from equal: nothing, draw them more equally, or adjust the logits."""
    plain = replace(recipe, balance=0.0, adjust=0.0)
    return Grid(
        name="imbalance", where="no table", reference="as it is",
        variants=(
            Variant(name="as it is", recipe=plain),
            Variant(name="balance 0.5", recipe=replace(plain, balance=0.5)),
            Variant(name="balance 1", recipe=replace(plain, balance=1.0)),
            Variant(name="adjust 1", recipe=replace(plain, adjust=1.0)),
        ),
    )  # fmt: skip


def generated(recipe: Training) -> Grid:
    """What generated clips bring beside real ones, and what is done for scarce classes without them."""
    plain = replace(recipe, balance=0.0, adjust=0.0, mixture=replace(recipe.mixture, share=0.0))
    mixed = replace(plain, mixture=replace(recipe.mixture, share=recipe.mixture.share or Mixture().share))
    return Grid(
        name="generated", where="no table", reference="generated + class-balanced", mixes=True,
        variants=(
            Variant(name="none", recipe=plain),
            Variant(name="class-balanced sampling", recipe=replace(plain, balance=1.0)),
            Variant(name="logit adjustment", recipe=replace(plain, adjust=1.0)),
            Variant(name="generated", recipe=mixed),
            Variant(name="generated + class-balanced", recipe=replace(mixed, balance=1.0)),
        ),
        note="all variants take the same steps, each of as many clips",
    )  # fmt: skip


def _option(
    name: str,
    option: str,
    printed: Mapping[int, Printed] | Mapping[float, Printed],
    recipe: Training,
    *,
    where: str,
    reference: str,
) -> Grid:
    variants = tuple(
        Variant(name=f"{value}", recipe=with_options(recipe, f"{option}={value}"), printed=figures)
        for value, figures in printed.items()
    )
    return Grid(name=name, where=where, reference=reference, variants=variants, printed_with=_L14)


def _probe(recipe: Training) -> Training:
    probe = with_options(recipe, method="linear-probe")
    # One layer from zero learns at ten times the rate that prompts bear.
    return replace(probe, loop=replace(probe.loop, lr=10 * probe.loop.lr))


GRIDS: dict[str, Callable[[Training], Grid]] = {
    "duse-modules": modules,
    "duse-depth": depth,
    "duse-heads": heads,
    "duse-beta": beta,
    "duse-tokens": tokens,
    "imbalance": imbalance,
    "generated": generated,
}
"""Every ablation of DuSE by its name, and those of any method; those of OUS are `grids_ous.OUS_GRIDS`."""
