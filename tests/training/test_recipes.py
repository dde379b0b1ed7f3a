from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any

import pytest
import torch

from mimica.data.augment import augmented, draws
from mimica.errors import UsageError
from mimica.recognition.duse.config import DuseConfig
from mimica.recognition.duse.prompts import prompted_layers
from mimica.recognition.registry import METHODS, method
from mimica.training.recipes import (
    PRESETS,
    PRETRAINING,
    TRAINING,
    Pretraining,
    Training,
    method_of,
    pretraining,
    training,
    with_loop,
    with_method,
)


@pytest.mark.parametrize("make", [*PRETRAINING.values(), *TRAINING.values()])
def test_every_recipe_is_a_fresh_whole_config_that_json_can_state(make: Callable[[], Pretraining | Training]) -> None:
    import json

    assert make() == make()
    assert json.loads(json.dumps(asdict(make())))["loop"]["epochs"] > 0


def test_recipes_are_found_by_name() -> None:
    assert {name: pretraining(name) for name in PRETRAINING} == {name: make() for name, make in PRETRAINING.items()}
    assert {name: training(name) for name in TRAINING} == {name: make() for name, make in TRAINING.items()}
    assert PRETRAINING.keys() == {"compact", "compact_colour", "teacher", "teacher_identity"}
    of_duse = {"duse_compact", "duse_vit_b32", "duse_vit_b16", "duse_vit_l14"}
    assert TRAINING.keys() == of_duse | {"ous_compact", "ous_vit_l14"}


def test_a_former_name_of_a_recipe_is_still_understood() -> None:
    assert training("duse_clip") == training("duse_vit_b32")


@pytest.mark.parametrize(
    ("find", "reason"),
    [(pretraining, "unknown pretraining recipe 'compat'; did you mean 'compact'"),
     (training, "unknown training recipe 'compat'; did you mean 'ous_compact'")],
)  # fmt: skip
def test_an_unknown_recipe_is_met_with_the_choices(find: Callable[[str], object], reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        find("compat")
    assert reason in str(caught.value)


def test_settings_of_the_loop_can_be_changed_and_those_not_given_stay() -> None:
    recipe = training("duse_compact")
    changed = with_loop(recipe, epochs=2, batch=None, seed=0)
    assert changed == replace(recipe, loop=replace(recipe.loop, epochs=2, seed=0))


def layers_of(recipe: Training, *, vision: int, text: int) -> int:
    assert isinstance(recipe.model, DuseConfig)
    return prompted_layers(recipe.model.depth, vision_layers=vision, text_layers=text)


def test_the_recogniser_fits_the_encoder_that_its_recipe_names() -> None:
    recipe = training("duse_compact")
    tower = pretraining(recipe.encoder).encoder
    minilm_layers = 6
    assert layers_of(recipe, vision=tower.layers, text=minilm_layers) > 1
    assert isinstance(recipe.model, DuseConfig)
    assert tower.dim % recipe.model.attention_heads == 0
    assert recipe.frames <= recipe.longest


@pytest.mark.parametrize(
    ("name", "encoder", "vision", "layers"),
    [
        ("duse_vit_b32", "openai/clip-vit-base-patch32", 12, 8),
        ("duse_vit_b16", "openai/clip-vit-base-patch16", 12, 8),
        ("duse_vit_l14", "openai/clip-vit-large-patch14", 24, 8),
    ],
)
def test_on_a_clip_the_recipe_is_the_papers_wherever_it_says_how(
    name: str, encoder: str, vision: int, layers: int
) -> None:
    recipe = training(name)
    assert recipe.encoder == encoder
    assert layers_of(recipe, vision=vision, text=12) == layers
    assert (recipe.frames, recipe.longest, recipe.loop.batch, recipe.loop.lr) == (16, 16, 16, 1e-3)
    assert (recipe.balance, recipe.shorten, recipe.loop.weight_decay, recipe.loop.ema) == (0, 0, 0, 0)
    assert isinstance(recipe.model, DuseConfig)
    assert (recipe.model.tokens, recipe.model.heads, recipe.model.beta) == (4, 4, 0.7)


def test_ous_on_a_clip_is_trained_as_its_paper_says() -> None:
    recipe = training("ous_vit_l14")
    assert (recipe.method, recipe.model, recipe.scenes) == ("ous-paper", method("ous-paper"), True)
    loop, falling = recipe.loop, recipe.loop.falling
    assert (loop.epochs, loop.batch, loop.lr) == (60, 16, 2e-3)
    assert falling is not None
    assert (falling.patience, falling.fall, falling.least, falling.overfit) == (5, 1 / 3, 1e-7, 0.8)
    assert recipe.select_on == "validation"
    assert not training("duse_vit_l14").scenes


def test_two_thirds_of_a_large_clips_layers_are_more_than_its_text_tower_has() -> None:
    deep = with_method(training("duse_vit_l14"), None, ["depth=deep"])
    with pytest.raises(UsageError) as caught:
        layers_of(deep, vision=24, text=12)
    said = "depth deep means 16 prompted layers, but each couples a vision layer to a text layer and the towers have "
    assert str(caught.value) == f"{said}24 and 12; choose depth=12 or another number from 0 to 12"


def test_the_frames_of_a_clip_are_changed_alike_and_by_what_the_paper_names_alone() -> None:
    """Crops, turns, mirrors and light; every frame by the same draw, so that equal frames stay equal."""
    how = training("duse_vit_b32").augmentation
    assert (how.crop, how.ratio, how.flip, how.angle, how.brightness) == ((0.8, 1.0), (3 / 4, 4 / 3), 0.5, 4.0, 0.5)
    still = torch.rand(6, 1, 3, 24, 24).expand(-1, 5, -1, -1, -1)
    changed = augmented(still, draws(0, 0, range(6)), how)
    assert torch.equal(changed, changed[:, :1].expand_as(changed))
    plain = replace(how, crop=(1.0, 1.0), ratio=(1.0, 1.0), flip=0.0, angle=0.0, brightness=0.0)
    assert torch.allclose(augmented(still, draws(0, 0, range(6)), plain), still, atol=1e-5)


def test_on_a_clip_the_best_epoch_on_what_is_held_out_is_kept_and_on_the_compact_encoder_the_last() -> None:
    of = {name: training(name).select_on for name in TRAINING}
    assert of.pop("duse_compact") == of.pop("ous_compact") == "last"
    assert set(of.values()) == {"validation"}


def test_a_tenth_of_train_is_held_out_unless_the_test_part_is_selected_on() -> None:
    recipe = training("duse_vit_b32")
    assert recipe.held == replace(recipe, select_on="last").held == 0.1
    assert replace(recipe, hold=0.25).held == 0.25
    assert replace(recipe, select_on="test").held == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"select_on": "tests"}, "unknown part to select on 'tests'; did you mean 'test'? Choose from: validation, te"),
        ({"balance": 1.5}, "balance is from 0, as the data is, to 1, all classes equal, not 1.5"),
        ({"balance": math.nan}, "balance is from 0, as the data is, to 1, all classes equal, not nan"),
        ({"adjust": -1.0}, "adjust is 0 or more, 1 for as much as the classes differ, not -1"),
        ({"adjust": math.inf}, "adjust is 0 or more, 1 for as much as the classes differ, not inf"),
        ({"per_epoch": -3}, "per_epoch is a number of clips, or none for as many as the data, not -3"),
        ({"hold": 0.6}, "hold is the share of train to hold out, 0 to 0.5, not 0.6"),
    ],
)
def test_a_recipe_has_no_share_that_makes_no_sense(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        replace(training("duse_vit_b32"), **changes)
    assert str(caught.value).startswith(said)


# Another method, other choices


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("recipe", TRAINING)
def test_a_recipe_takes_any_method_and_keeps_all_else(recipe: str, name: str) -> None:
    plain = training(recipe)
    changed = with_method(plain, name, [])
    assert replace(changed, method=plain.method, model=plain.model) == plain
    assert changed.method == name
    wanted = method(name)
    if isinstance(wanted, DuseConfig) and isinstance(plain.model, DuseConfig):
        wanted = replace(wanted, depth=plain.model.depth)  # that of the recipe suits its encoder
    assert changed.model == wanted


def test_without_a_method_the_recipes_own_stays_with_its_options() -> None:
    recipe = training("duse_compact")
    assert with_method(recipe, None, []) == recipe
    changed = with_method(recipe, None, ["beta=0.5", "pe_learned=false"])
    assert isinstance(recipe.model, DuseConfig)
    assert changed == replace(recipe, model=replace(recipe.model, beta=0.5, pe_learned=False))


def test_options_are_set_on_top_of_the_method_the_depth_too() -> None:
    changed = with_method(training("duse_compact"), "duse-paper", ["depth=1", "coupling=linear"])
    paper = method("duse-paper")
    assert isinstance(paper, DuseConfig)
    assert changed.model == replace(paper, depth=1, coupling="linear")


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        (
            "dus",
            [],
            "unknown method 'dus'; did you mean 'duse'? Choose from: duse, duse-paper, ous, ous-paper, ous-r",
        ),
        (None, ["bta=0.5"], "unknown option of DuSE 'bta'; did you mean 'beta'? Choose from: htpc, depth, tokens, "),
        (None, ["beta"], "beta of DuSE is a number such as 0.7, got ''"),
        (None, ["beta=2"], "beta of DuSE is a share from 0 to 1, got 2.0"),
        (None, ["coupling=lin"], "unknown coupling of DuSE 'lin'; did you mean 'linear'? Choose from: linear_relu, "),
        (None, ["depth=deeper"], "unknown depth of DuSE 'deeper'; did you mean 'deep'? Choose from: shallow, normal, "),
        ("linear-probe", ["beta=0.5", "tokens=2"], "the method linear-probe has no options, got beta=0.5 tokens=2"),
    ],
)
def test_a_method_or_an_option_that_does_not_exist_is_met_with_the_choices(
    name: str | None, options: list[str], said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        with_method(training("duse_compact"), name, options)
    assert str(caught.value).startswith(said)


@pytest.mark.parametrize(
    ("preset", "name", "wanted"),
    [(None, None, None), ("duse", None, "duse"), (None, "coop", "coop"), ("duse-paper", "duse-paper", "duse-paper")],
)
def test_a_preset_is_a_method_by_its_name(preset: str | None, name: str | None, wanted: str | None) -> None:
    assert method_of(preset, name) == wanted
    assert set(PRESETS) <= METHODS.keys()


@pytest.mark.parametrize(
    ("preset", "name", "said"),
    [
        ("duse-papr", None, "unknown preset of DuSE 'duse-papr'; did you mean 'duse-paper'? Choose from: duse, duse-p"),
        ("coop", None, "unknown preset of DuSE 'coop'. Choose from: duse, duse-paper"),
        ("duse-paper", "duse", "--preset duse-paper is DuSE, and --method says duse; give one of the two"),
        ("duse", "coop", "--preset duse is DuSE, and --method says coop; give one of the two"),
    ],
)
def test_a_preset_that_does_not_exist_or_contradicts_the_method_is_refused(
    preset: str, name: str | None, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        method_of(preset, name)
    assert str(caught.value).startswith(said)


# Which frames are read


def test_the_compact_recipe_reads_evenly_spread_frames_and_the_papers_a_frame_a_segment() -> None:
    compact, clip = training("duse_compact"), training("duse_vit_b32")
    assert (compact.sampling, compact.kept, compact.tested) == ("uniform", 16, 16)
    assert (clip.sampling, clip.kept, clip.tested) == ("segment", None, 16)
    assert replace(compact, sampling="stride:2").tested == compact.frames == 8


@pytest.mark.parametrize(
    ("sampling", "frames", "said"),
    [
        ("segmnt", 16, "unknown sampling 'segmnt'; did you mean 'segment'? Choose from: segment, tsn8x2, stride, "),
        ("tsn8x2", 7, "tsn8x2 reads frames in pairs, so their number must be even, not 7"),
    ],
)
def test_a_recipe_has_no_sampling_that_does_not_exist_or_fit(sampling: str, frames: int, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        replace(training("duse_vit_b32"), sampling=sampling, frames=frames)
    assert str(caught.value).startswith(said)
