"""`mimica models`: the recognisers that come with the package, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import tyro


@dataclass(frozen=True, slots=True, kw_only=True)
class List:
    """The recognisers that come with the package."""

    def run(self) -> int:
        """Print a line a model."""
        from mimica.recognition.registry import facts, list_models

        for name in list_models():
            stated = facts(name)
            print(f"{name}: {stated['architecture']} on {stated['encoder']}, {len(stated['labels']['names'])} classes")
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Show:
    """A model's card: what it was trained on, its figures, its limits, its licence, every setting."""

    name: Annotated[str, tyro.conf.Positional, tyro.conf.arg(metavar="NAME")]
    """Name of a model, or the path that training wrote."""

    def run(self) -> int:
        """Print the card, then the facts."""
        import json

        from mimica.recognition.registry import facts, locate

        path = locate(self.name)
        card = path.with_suffix(".md")
        if card.is_file():
            print(card.read_text().strip(), end="\n\n")
        print(json.dumps(facts(self.name), indent=2))
        return 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """Recognisers: list them, show the card of one."""

    do: Annotated[List, tyro.conf.subcommand("list")] | Annotated[Show, tyro.conf.subcommand("show")]

    def run(self) -> int:
        """Do what was chosen."""
        return self.do.run()
