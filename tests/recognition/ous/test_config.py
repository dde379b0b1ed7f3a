from __future__ import annotations

import json
from typing import Any

import pytest

from mimica.errors import UsageError
from mimica.recognition.ous.config import OusConfig, ous, ous_paper, ous_repo
from mimica.recognition.registry import method

LITERAL = {
    "inputs": "raw", "early": "time", "cell": "rnn", "early_residual": False, "align": "conv", "aligned": "both",
    "polarity": "on", "fusion": "on", "blocks": 12, "carry": "literal", "kv": "respective", "queries_shared": True,
    "queries_start": "gaussian", "fusion_positions": False, "activation": "relu", "prompt": 64, "texts": "name",
    "losses": "global", "similarity": "literal", "alpha_average": 0.0, "route_losses": True, "infonce": 1.0,
    "alone": 0.0, "lean": 0.0,
}  # fmt: skip
"""What arXiv 2405.18769 prints of each option."""


def said(wrong: Any) -> str:
    with pytest.raises(UsageError) as caught:
        wrong()
    return str(caught.value)


def test_an_option_knows_what_the_paper_prints() -> None:
    assert {o.name: o.paper for o in OusConfig().options() if o.paper is not None} == LITERAL


def test_what_the_paper_prints_can_be_chosen() -> None:
    assert {o.literal for o in OusConfig(**LITERAL).options()} == {"yes", "not stated"}  # type: ignore[arg-type]


def test_the_papers_preset_is_literal_but_for_what_is_undefined_or_cannot_be_trained() -> None:
    no = {o.name for o in ous_paper().options() if o.literal == "no"}
    assert no == {"cell", "carry", "kv", "similarity", "route_losses", "infonce"}


def test_the_preset_of_the_public_code_has_its_graph() -> None:
    repo = ous_repo()
    assert (repo.early, repo.early_residual, repo.polarity, repo.tokens) == ("type", True, "none", 2)
    assert (repo.align, repo.aligned, repo.queries_shared, repo.queries_start) == ("linear", "scene", False, "ones")
    assert (repo.losses, repo.prompt, repo.blocks, repo.activation) == ("contrast", 32, 12, "quick_gelu")


@pytest.mark.parametrize(("name", "preset"), [("ous", ous), ("ous-paper", ous_paper), ("ous-repo", ous_repo)])
def test_the_presets_have_their_names_and_survive_being_stated_in_json(name: str, preset: Any) -> None:
    config = method(name)
    assert config == preset()
    assert isinstance(config, OusConfig)
    assert OusConfig.from_facts(json.loads(json.dumps(config.facts()))) == config


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"queries": 4}, "with carry=kv there are as many queries as tokens, 3, got 4; set carry=query or leave"),
        ({"queries": 3, "polarity": "none"}, "with carry=kv there are as many queries as tokens, 2, got 3"),
        ({"queries": 0, "carry": "query"}, "got 0"),
        ({"blocks": 0}, "blocks of OUS is 1 or more, got 0"),
        ({"alone": -1.0}, "alone of OUS is 0 or more, got -1.0"),
        ({"lean": 1.1}, "lean of OUS is a share from 0 to 1, got 1.1"),
        ({"alone": 0.0}, "with lean=0.7 OUS leans on what the face alone says, which it does not learn with alone=0"),
        ({"alpha_average": 1.0}, "alpha_average of OUS is a share from 0 to less than 1, got 1.0"),
        ({"infonce_temperature": 0.0}, "infonce_temperature of OUS is above 0, got 0.0"),
        ({"alpha": float("inf")}, "alpha of OUS is a finite number, got inf"),
        ({"early": "tim"}, "unknown early of OUS 'tim'; did you mean 'time'?"),
    ],
)
def test_what_cannot_be_is_refused_in_a_sentence(choices: dict[str, Any], message: str) -> None:
    assert message in said(lambda: OusConfig(**choices))


def test_the_words_of_the_command_line_become_values() -> None:
    changed = ous().changed(["carry=query", "queries=5", "alpha=2", "route_losses=true", "prompt=4"])
    assert (changed.count, changed.alpha, changed.route_losses, changed.prompt) == (5, 2.0, True, 4)
    assert "unknown option of OUS 'beta'" in said(lambda: ous().changed(["beta=1"]))
