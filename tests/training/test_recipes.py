from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace

import pytest

from mimica.errors import UsageError
from mimica.recognition.duse.prompts import prompted_layers
from mimica.training.recipes import PRETRAINING, TRAINING, Pretraining, Training, pretraining, training, with_loop


@pytest.mark.parametrize("make", [*PRETRAINING.values(), *TRAINING.values()])
def test_every_recipe_is_a_fresh_whole_config_that_json_can_state(make: Callable[[], Pretraining | Training]) -> None:
    import json

    assert make() == make()
    assert json.loads(json.dumps(asdict(make())))["loop"]["epochs"] > 0


def test_recipes_are_found_by_name() -> None:
    assert pretraining("compact") == PRETRAINING["compact"]()
    assert training("duse_compact") == TRAINING["duse_compact"]()


@pytest.mark.parametrize(
    ("find", "reason"),
    [(pretraining, "unknown pretraining recipe 'compat'; did you mean 'compact'"),
     (training, "unknown training recipe 'compat'; did you mean 'duse_compact'")],
)  # fmt: skip
def test_an_unknown_recipe_is_met_with_the_choices(find: Callable[[str], object], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        find("compat")
    assert reason in str(caught.value)


def test_settings_of_the_loop_can_be_changed_and_those_not_given_stay() -> None:
    recipe = training("duse_compact")
    changed = with_loop(recipe, epochs=2, batch=None, seed=0)
    assert changed == replace(recipe, loop=replace(recipe.loop, epochs=2, seed=0))


def test_the_recogniser_fits_the_encoder_that_its_recipe_names() -> None:
    recipe = training("duse_compact")
    tower = pretraining(recipe.encoder).encoder
    minilm_layers = 6
    assert prompted_layers(recipe.model.depth, vision_layers=tower.layers, text_layers=minilm_layers) > 1
    assert tower.dim % recipe.model.attention_heads == 0
    assert recipe.frames <= recipe.longest
