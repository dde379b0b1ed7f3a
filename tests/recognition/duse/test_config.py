from __future__ import annotations

import json
from typing import Any

import pytest

from mimica.errors import UsageError
from mimica.recognition.duse.config import DuseConfig, duse, duse_paper
from mimica.recognition.registry import method

NAMES = [option.name for option in DuseConfig().options()]
CHOSEN = [option for option in DuseConfig().options() if option.choices and option.name != "depth"]
LITERAL = {
    "htpc": "on", "depth": "normal", "tokens": 4, "text_place": "end", "after_depth": "drop", "coupling": "linear_relu",
    "frame_pe": "sinusoid", "pe_scale": 1.0, "pe_learned": False, "texts": "first", "lsea": "on",
    "attention": "literal", "projections": "none", "order": "none", "heads": 4,
    "head_maps": "shared", "normalize_inputs": False, "similarity": "dot", "semantic_scale": 1.0,
    "semantic_learned": False, "beta": 0.7, "residual": "mapped", "logits": "raw_dot",
}  # fmt: skip
"""What arXiv 2604.12777 prints of each option. Of the scoring function in eq. 11 it says only that it is learned, of
the heads of the attention in eq. 9 nothing."""


def said(wrong: Any) -> str:
    with pytest.raises(UsageError) as caught:
        wrong()
    return str(caught.value)


# What the paper prints.


def test_an_option_knows_what_the_paper_prints_and_where() -> None:
    assert {o.name: o.paper for o in DuseConfig().options() if o.paper is not None} == LITERAL
    assert [o.name for o in DuseConfig().options() if o.paper is None] == ["attention_heads", "score"]
    assert all(o.where.startswith(("III-", "IV-", "eq")) for o in DuseConfig().options())


UNSTATED = {"attention_heads": "not stated", "score": "not stated"}


def test_what_the_paper_prints_can_be_chosen() -> None:
    config = DuseConfig(**LITERAL)  # type: ignore[arg-type]
    assert {o.name: o.literal for o in config.options()} == dict.fromkeys(LITERAL, "yes") | UNSTATED


def test_the_papers_preset_is_literal_but_for_what_cannot_be_trained() -> None:
    told = {o.name: o.literal for o in duse_paper().options()}
    assert told == dict.fromkeys(LITERAL, "yes") | UNSTATED | {"text_place": "no"}
    assert duse_paper().text_place == "start"


def test_the_recommended_preset_says_in_which_points_it_is_not_literal() -> None:
    no = {o.name: o.value for o in duse().options() if o.literal == "no"}
    assert no == {
        "text_place": "start", "coupling": "mlp", "frame_pe": "none", "pe_scale": 0.02, "pe_learned": True,
        "attention": "stable", "projections": "qkv", "order": "sinusoid",
        "normalize_inputs": True, "similarity": "cosine", "semantic_scale": 10.0, "semantic_learned": True,
        "logits": "cosine",
    }  # fmt: skip
    assert [o.name for o in duse().options() if o.literal == "not stated"] == list(UNSTATED)


def test_the_presets_have_their_names() -> None:
    assert method("duse") == duse() == DuseConfig()
    assert method("duse-paper") == duse_paper()


# What may be chosen.


@pytest.mark.parametrize("option", CHOSEN, ids=lambda option: option.name)
def test_every_choice_of_an_option_is_taken_and_no_other(option: Any) -> None:
    for value in option.choices:
        assert getattr(DuseConfig(**{option.name: value}), option.name) == value
        assert getattr(DuseConfig().changed([f"{option.name}={value}"]), option.name) == value
    message = said(lambda: DuseConfig(**{option.name: "maybe"}))
    assert message.startswith(f"unknown {option.name} of DuSE 'maybe'")
    assert message.endswith(f"Choose from: {', '.join(str(choice) for choice in option.choices)}")


@pytest.mark.parametrize("depth", ["shallow", "normal", "deep", 0, 3])
def test_depth_is_a_word_or_a_number(depth: str | int) -> None:
    assert DuseConfig(depth=depth).depth == depth
    assert DuseConfig().changed([f"depth={depth}"]).depth == depth


@pytest.mark.parametrize("depth", ["deeper", "a number of layers", "²", "-1", "2.5", ""])
def test_another_word_for_depth_is_met_with_the_choices(depth: str) -> None:
    for wrong in (lambda: DuseConfig(depth=depth), lambda: DuseConfig().changed([f"depth={depth}"])):
        message = said(wrong)
        assert message.startswith(f"unknown depth of DuSE '{depth}'")
        assert message.endswith("Choose from: shallow, normal, deep, a number of layers")


def test_a_word_that_is_nearly_one_is_met_with_that() -> None:
    assert "did you mean 'linear_relu'?" in said(lambda: DuseConfig(coupling="linear_rel"))
    assert "did you mean 'semantic_scale'?" in said(lambda: DuseConfig().changed(["semantic_scal=3"]))


@pytest.mark.parametrize("name", ["tokens", "attention_heads", "heads"])
def test_what_is_counted_is_1_or_more(name: str) -> None:
    assert getattr(DuseConfig(**{name: 1}), name) == 1
    assert said(lambda: DuseConfig(**{name: 0})) == f"{name} of DuSE is 1 or more, got 0"


@pytest.mark.parametrize("beta", [-0.1, 1.5, float("nan")])
def test_beta_is_a_share(beta: float) -> None:
    assert said(lambda: DuseConfig(beta=beta)) == f"beta of DuSE is a share from 0 to 1, got {beta}"
    assert [DuseConfig(beta=edge).beta for edge in (0.0, 1.0)] == [0.0, 1.0]


@pytest.mark.parametrize("name", ["pe_scale", "semantic_scale"])
@pytest.mark.parametrize("scale", [float("nan"), float("inf")])
def test_a_scale_is_finite(name: str, scale: float) -> None:
    assert said(lambda: DuseConfig(**{name: scale})) == f"{name} of DuSE is a finite number, got {scale}"


# The words of the command line, and those of a checkpoint.


def test_the_words_of_the_command_line_become_values_of_the_options_kind() -> None:
    changed = DuseConfig().changed(
        ["beta=0.5", "tokens=8", "pe_learned=False", "semantic_learned=true", "coupling=linear", "semantic_scale=3"]
    )
    told = {o.name: o.value for o in changed.options() if o.value != getattr(DuseConfig(), o.name)}
    assert told == {"beta": 0.5, "tokens": 8, "pe_learned": False, "coupling": "linear", "semantic_scale": 3.0}
    assert isinstance(changed.semantic_scale, float)
    assert changed.pe_learned is False


def test_the_last_word_counts_and_none_changes_nothing() -> None:
    assert DuseConfig().changed(["beta=0.5", "beta=0.9"]).beta == 0.9
    assert duse_paper().changed([]) == duse_paper()
    assert duse_paper().changed(["beta=0.5"]) == DuseConfig.from_facts({**duse_paper().facts(), "beta": 0.5})


@pytest.mark.parametrize(
    ("word", "message"),
    [
        ("tokens=many", "tokens of DuSE is a number such as 4, got 'many'"),
        ("tokens=1.5", "tokens of DuSE is a number such as 4, got '1.5'"),
        ("beta=", "beta of DuSE is a number such as 0.7, got ''"),
        ("beta", "beta of DuSE is a number such as 0.7, got ''"),
        ("beta=2", "beta of DuSE is a share from 0 to 1, got 2.0"),
        ("pe_learned=yes", "unknown pe_learned of DuSE 'yes'. Choose from: true, false"),
        ("coupling", "unknown coupling of DuSE ''. Choose from: linear_relu, linear, mlp"),
    ],
)
def test_a_word_that_says_no_value_is_met_with_what_would(word: str, message: str) -> None:
    assert said(lambda: DuseConfig().changed([word])) == message


def test_an_option_that_there_is_not_is_met_with_those_that_there_are() -> None:
    for wrong in (lambda: DuseConfig().changed(["gamma=1"]), lambda: DuseConfig.from_facts({"gamma": 1})):
        message = said(wrong)
        assert message.startswith("unknown option of DuSE 'gamma'")
        assert message.endswith(f"Choose from: {', '.join(NAMES)}")


@pytest.mark.parametrize("name", ["duse", "duse-paper", "coop", "zero-shot"])
def test_a_config_survives_being_stated_in_json(name: str) -> None:
    config = method(name)
    assert isinstance(config, DuseConfig)
    stated = json.loads(json.dumps(config.facts()))
    assert set(stated) == set(NAMES)
    assert DuseConfig.from_facts(stated) == config


def test_what_a_checkpoint_does_not_state_is_as_recommended() -> None:
    assert DuseConfig.from_facts({"beta": 0.5, "depth": 3}) == DuseConfig(beta=0.5, depth=3)


def test_a_checkpoint_that_states_what_cannot_be_chosen_is_refused() -> None:
    assert said(lambda: DuseConfig.from_facts({"coupling": "cubic"})).startswith("unknown coupling of DuSE 'cubic'")
