"""The verbs, flags and choices of the command line, as they were promised in `surface.json`.

What is there stays: people's scripts depend on it. Anything may be added, and is promised too once it
is in the file; `python tests/cli/test_frozen.py` puts it there. Nothing takes anything out but a hand.
"""

from __future__ import annotations

import argparse
import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SURFACE = Path(__file__).with_name("surface.json")

Surface = dict[str, dict[str, dict[str, Any]]]
"""By verb and flag (a positional argument by its place): what it takes, its choices, whether it must be given."""


def surface() -> Surface:
    """The command line as it is now."""
    import tyro

    from mimica.cli import commands

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # tyro offers no other view of what it has parsed
        config = (tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes)
        parser = tyro.extras.get_parser(commands(), prog="mimica", config=config)
    return dict(_verbs("mimica", parser))


def _verbs(name: str, parser: argparse.ArgumentParser) -> list[tuple[str, dict[str, dict[str, Any]]]]:
    flags: dict[str, dict[str, Any]] = {}
    inside = []
    for action in parser._actions:
        if isinstance(action.choices, dict):
            for verb, deeper in action.choices.items():
                inside += _verbs(f"{name} {verb}", deeper)
        elif not isinstance(action, argparse._HelpAction):
            place = f"positional {sum(flag.startswith('positional') for flag in flags)}"
            for flag in action.option_strings or [place]:
                flags[flag] = _flag(action)
    return [(name, flags), *inside]


def _flag(action: argparse.Action) -> dict[str, Any]:
    takes = {0: "nothing", 1: "a value", None: "a value"}.get(action.nargs, "values")  # type: ignore[call-overload]
    return {"takes": takes, "choices": list(action.choices or []), "required": bool(action.required)}


def broken(then: Surface, now: Surface) -> list[str]:
    """What worked then and would not now, a sentence each."""
    told = [f"{verb} is gone" for verb in then.keys() - now.keys()]
    for verb in then.keys() & now.keys():
        told += [f"{verb} has lost {flag}" for flag in then[verb].keys() - now[verb].keys()]
        told += [
            f"{verb} now needs {flag}"
            for flag, fact in now[verb].items()
            if fact["required"] and not then[verb].get(flag, {}).get("required")
        ]
        for flag in then[verb].keys() & now[verb].keys():
            before, after = then[verb][flag], now[verb][flag]
            if before["takes"] != after["takes"] and (before["takes"], after["takes"]) != ("a value", "values"):
                told.append(f"{verb} {flag} took {before['takes']} and now takes {after['takes']}")
            # No choices at all means that anything goes.
            lost = sorted(set(before["choices"]) - set(after["choices"])) if after["choices"] else []
            told += [f"{verb} {flag} has lost {choice}" for choice in lost]
            if after["choices"] and not before["choices"]:
                told.append(f"{verb} {flag} took anything and is now limited to {after['choices']}")
    return sorted(told)


def test_what_the_command_line_promised_is_still_there() -> None:
    assert broken(json.loads(SURFACE.read_text()), surface()) == []


def _without(*path: str) -> Callable[[Any], None]:
    def change(now: Any) -> None:
        *way, last = path
        for step in way:
            now = now[step]
        now.remove(last) if isinstance(now, list) else now.pop(last)

    return change


def _with(*path: str, value: Any) -> Callable[[Any], None]:
    def change(now: Any) -> None:
        *way, last = path
        for step in way:
            now = now[step]
        now[last] = value

    return change


NEW = {"takes": "a value", "choices": [], "required": False}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (_without("mimica predict"), ["mimica predict is gone"]),
        (_without("mimica assets fetch"), ["mimica assets fetch is gone"]),
        (_without("mimica predict", "--smooth"), ["mimica predict has lost --smooth"]),
        (_without("mimica models show", "positional 0"), ["mimica models show has lost positional 0"]),
        (_without("mimica predict", "--format", "choices", "eaf"), ["mimica predict --format has lost eaf"]),
        (
            _with("mimica predict", "--again", "takes", value="a value"),
            ["mimica predict --again took nothing and now takes a value"],
        ),
        (
            _with("mimica predict", "--out", "choices", value=["-"]),
            ["mimica predict --out took anything and is now limited to ['-']"],
        ),
        (_with("mimica predict", "--model", "required", value=True), ["mimica predict now needs --model"]),
        (_with("mimica predict", "--new", value=NEW | {"required": True}), ["mimica predict now needs --new"]),
        (_with("mimica predict", "--new", value=NEW), []),
        (_with("mimica new", value={}), []),
        (_with("mimica predict", "--out", "takes", value="values"), []),
    ],
)
def test_a_change_that_would_break_a_script_is_noticed(change: Callable[[Any], None], said: list[str]) -> None:
    then = surface()
    now = copy.deepcopy(then)
    change(now)
    assert broken(then, now) == said


def promise() -> None:
    """Add what is new to the file; what it promises already stays as it is."""
    kept: Surface = json.loads(SURFACE.read_text()) if SURFACE.exists() else {}
    for verb, flags in surface().items():
        for flag, fact in flags.items():
            there = kept.setdefault(verb, {}).setdefault(flag, fact)
            there["choices"] += [choice for choice in fact["choices"] if choice not in there["choices"]]
        kept.setdefault(verb, {})
    verbs = [
        f" {json.dumps(verb)}: {{\n"
        + ",\n".join(f"  {json.dumps(flag)}: {json.dumps(fact)}" for flag, fact in flags.items())
        + "\n }"
        for verb, flags in kept.items()
    ]
    SURFACE.write_text("{\n" + ",\n".join(verbs) + "\n}\n")


if __name__ == "__main__":
    promise()
