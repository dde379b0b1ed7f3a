"""`mimica models`: the recognisers that come with the package, the methods, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import tyro

if TYPE_CHECKING:
    from mimica.recognition.registry import Choices


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """The recognisers that come with the package, and the methods that can be trained."""

    def run(self) -> int:
        """Print a line a model, then the methods."""
        from mimica.recognition.registry import METHODS, facts, list_models

        for name in list_models():
            stated = facts(name)
            print(f"{name}: {stated['architecture']} on {stated['encoder']}, {len(stated['labels']['names'])} classes")
        print(f"methods for mimica train: {', '.join(METHODS)}")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """A model's card, or a method's options: each as it is set, and whether it is what the paper prints."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """Name of a model or a method (mimica models list), or the path that training wrote."""

    def run(self) -> int:
        """Print the card, the options, then the facts."""
        import json

        from mimica.recognition.duse.config import DuseConfig
        from mimica.recognition.ous.config import OusConfig
        from mimica.recognition.registry import METHODS, facts, locate, method

        if self.name in METHODS:
            _options(self.name, method(self.name))
            return 0
        path = locate(self.name)
        stated = facts(self.name)
        card = path.with_suffix(".md")
        if card.is_file():
            print(card.read_text().strip(), end="\n\n")
        kinds: dict[Any, type[DuseConfig] | type[OusConfig]] = {"duse": DuseConfig, "ous": OusConfig}
        if kind := kinds.get(stated.get("architecture")):
            _options(self.name, kind.from_facts(stated["config"]))
        print(json.dumps(stated, indent=2))
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Recognisers: list them, show the card of one."""

    do: Annotated[List, tyro.conf.subcommand("list")] | Annotated[Show, tyro.conf.subcommand("show")]

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()


def _options(name: str, config: Choices) -> None:
    """Each option of a method: its value, whether its paper prints it so, what else there is."""
    from rich.console import Console
    from rich.table import Table

    from mimica.recognition.options import Options

    if not isinstance(config, Options):
        fixed = ", ".join(f"{key} {value}" for key, value in config.facts().items())
        print(f"{name} has no options" + (f" to set; it has {fixed}" if fixed else ""))
        return
    title = f"options of {name}, beside {config.paper}"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for column in ("option", "value", "literal", "in the paper", "where", "choices"):
        table.add_column(column, overflow="fold")
    for option in config.options():
        printed = "" if option.paper is None else str(option.paper)
        choices = ", ".join(str(choice) for choice in option.choices)
        table.add_row(option.name, str(option.value), option.literal, printed, option.where, choices)
    Console(width=None if Console().is_terminal else 120).print(table)
    print()
