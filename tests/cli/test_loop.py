from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mimica.cli import USAGE, main, parse
from mimica.training.recipes import pretraining, training, with_loop

GIVEN = ["--data", "folder:.", "--out", "x"]


@pytest.fixture(params=["pretrain", "train"])
def verb(request: pytest.FixtureRequest) -> tuple[list[str], Any]:
    """What is typed before the flags, and the recipe that it names."""
    name = {"pretrain": "compact", "train": "duse_compact"}[request.param]
    return [request.param, name, *GIVEN], {"pretrain": pretraining, "train": training}[request.param](name)


def test_without_flags_every_setting_is_the_recipes_own(verb: tuple[list[str], Any]) -> None:
    typed, recipe = verb
    assert with_loop(recipe, **parse(typed).loop.changes()) == recipe


@pytest.mark.parametrize(
    ("flags", "changes"),
    [
        (["--epochs", "2", "--batch", "4"], {"epochs": 2, "batch": 4}),
        (["--seed", "0"], {"seed": 0}),
        (["--lr", "3e-4", "--accumulate", "8"], {"lr": 3e-4, "accumulate": 8}),
        (["--precision", "fp16"], {"precision": "fp16"}),
        (["--save-every", "0"], {"save_every": 0}),
        (["--grad-checkpoint"], {"grad_checkpoint": True}),
    ],
)
def test_a_flag_changes_its_setting_and_no_other(
    verb: tuple[list[str], Any], flags: list[str], changes: dict[str, Any]
) -> None:
    typed, recipe = verb
    changed = with_loop(recipe, **parse([*typed, *flags]).loop.changes())
    assert changed == replace(recipe, loop=replace(recipe.loop, **changes))


def test_a_recipe_that_checkpoints_gradients_does_so_without_the_flag(verb: tuple[list[str], Any]) -> None:
    typed, recipe = verb
    lean = with_loop(recipe, grad_checkpoint=True)
    assert with_loop(lean, **parse(typed).loop.changes()) == lean


def test_a_setting_that_does_not_exist_is_a_sentence(
    verb: tuple[list[str], Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*verb[0], "--precision", "fp8"]) == USAGE
    assert capsys.readouterr().err == "mimica: unknown precision 'fp8'. Choose from: no, bf16, fp16\n"
