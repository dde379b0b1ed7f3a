"""What a method of a paper lets one choose: each choice by name, with its place in the paper and what is printed there.

A method's config is a dataclass over `Options` whose fields are made by `choice`, so that a run can tell in
which points it is literal, and a user can set any of them on the command line.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from math import isfinite
from typing import Any, ClassVar, Literal, Self

from mimica.errors import UsageError, unknown


def choice(value: Any, *choices: Any, where: str, paper: Any = None, or_number: bool = False) -> Any:
    """A field with its choices (none: any number), its place in the paper and what is printed there (None: nothing).

    With `or_number` it is one of the choices but the last, which says so in words, or a whole number.
    """
    told = {"choices": choices, "where": where, "paper": paper, "or_number": or_number}
    return field(default=value, metadata=told)


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """One choice: its value, what could be chosen, where the paper speaks of it and what it prints, if anything."""

    name: str
    value: str | int | float | bool
    choices: tuple[Any, ...]
    where: str
    paper: Any

    @property
    def literal(self) -> Literal["yes", "no", "not stated"]:
        """Whether the value is what the paper prints."""
        if self.paper is None:
            return "not stated"
        return "yes" if self.value == self.paper else "no"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The choices of a method. Raises UsageError for a value that cannot be chosen."""

    of: ClassVar[str]
    """What the method is called in messages."""
    paper: ClassVar[str]
    """The paper that its options are held against."""

    def __post_init__(self) -> None:
        for option in fields(self):
            _refuse_other(option, getattr(self, option.name), f"{option.name} of {self.of}")
        self.check()
        for option in fields(self):
            value = getattr(self, option.name)
            if isinstance(value, float) and not isfinite(value):
                raise UsageError(f"{option.name} of {self.of} is a finite number, got {value}")

    def check(self) -> None:
        """Raise UsageError for values that are of the right kind and out of range, or do not go together."""

    def at_least(self, least: float, *names: str) -> None:
        """Raise UsageError where one of these options is less."""
        for name in names:
            if getattr(self, name) < least:
                raise UsageError(f"{name} of {self.of} is {least:g} or more, got {getattr(self, name)}")

    def facts(self) -> dict[str, Any]:
        """The choices as a checkpoint's JSON states them."""
        return asdict(self)

    @classmethod
    def from_facts(cls, stated: Mapping[str, Any]) -> Self:
        """The choices that a checkpoint's JSON states. Raises UsageError for one that the method does not have."""
        return replace(cls(), **cls._known(stated))

    def changed(self, settings: Sequence[str]) -> Self:
        """The same with some options set otherwise, each as `name=value`. Raises UsageError."""
        pairs = dict(setting.partition("=")[::2] for setting in settings)
        return replace(self, **{name: self._value(name, said) for name, said in self._known(pairs).items()})

    def options(self) -> list[Option]:
        """Each option as it is set, beside what is printed in the paper."""
        return [
            Option(
                name=f.name, value=getattr(self, f.name), choices=f.metadata["choices"], where=f.metadata["where"],
                paper=f.metadata["paper"],
            )
            for f in fields(self)
        ]  # fmt: skip

    @classmethod
    def _known(cls, stated: Mapping[str, Any]) -> Mapping[str, Any]:
        names = [option.name for option in fields(cls)]
        for name in stated:
            if name not in names:
                raise unknown(f"option of {cls.of}", name, names)
        return stated

    @classmethod
    def _value(cls, name: str, said: str) -> Any:
        """What is meant by the words of the command line, by the kind of the option's default."""
        [option] = [option for option in fields(cls) if option.name == name]
        default = option.default
        if isinstance(default, bool):
            if said.lower() not in ("true", "false"):
                raise unknown(f"{name} of {cls.of}", said, ["true", "false"])
            return said.lower() == "true"
        if option.metadata["or_number"]:
            return int(said) if said.isdecimal() else said
        kind: Any = type(default)
        try:
            return kind(said)
        except ValueError:
            raise UsageError(f"{name} of {cls.of} is a number such as {default}, got '{said}'") from None


def _refuse_other(option: Any, value: Any, told: str) -> None:
    choices, or_number = option.metadata["choices"], option.metadata["or_number"]
    known = isinstance(value, int) or value in choices[:-1] if or_number else value in choices
    if choices and not known:
        raise unknown(told, str(value), [str(c) for c in choices])
    kind = type(option.default)
    if not isinstance(value, (kind, int) if kind is float or or_number else kind):
        raise UsageError(f"{told} is such as {option.default!r}, got {value!r}")
