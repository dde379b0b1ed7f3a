"""The few kinds of error. Each message says what is wrong, where, and how to mend it."""

import traceback
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import PurePath


class MimicaError(Exception):
    """Whatever Mimica reports to its user: one sentence, never a traceback on the command line."""


class UsageError(MimicaError):
    """A name, flag or option that does not exist or does not fit."""


class InputError(MimicaError):
    """A file, folder or table that cannot be read as what it should be."""


class AssetError(MimicaError):
    """An outside file that is missing, altered or out of reach."""


class CheckpointError(MimicaError):
    """Saved weights that do not fit the model, the encoder or the label space."""


class ServerError(MimicaError):
    """A server that is out of reach, or does not do what it is asked for."""


class MissingExtra(MimicaError):
    """An optional part of the package that is not installed."""

    def __init__(self, package: str, extra: str) -> None:
        super().__init__(f"this needs {package}; install it with: pip install 'mimica[{extra}]'")


def unknown(kind: str, name: str, choices: Iterable[str]) -> UsageError:
    """The error for a name that is not among the choices; it lists them and names the nearest.

    >>> print(unknown("model", "duse-compct", ["duse-compact", "linear"]))
    unknown model 'duse-compct'; did you mean 'duse-compact'? Choose from: duse-compact, linear
    """
    listed = list(choices)
    near = get_close_matches(name, listed, n=1)
    hint = f"; did you mean '{near[0]}'?" if near else "."
    return UsageError(f"unknown {kind} '{name}'{hint} Choose from: {', '.join(listed)}")


def require(*rules: tuple[object, str]) -> None:
    """Raise UsageError with the sentence of the first rule that does not hold; each is what must be, and its sentence.

    >>> require((True, "never said"))
    """
    for right, sentence in rules:
        if not right:
            raise UsageError(sentence)


DEFECT = "a defect of Mimica, which you could report"


def defect(error: BaseException) -> str:
    """What a sentence says of an error that should not have been possible: of which kind, and where in the code."""
    *_, place = traceback.extract_tb(error.__traceback__)
    text = " ".join(str(error).split()) or "without a word"
    where = f"{PurePath(place.filename).name} line {place.lineno}"
    return f"{DEFECT} ({type(error).__name__}: {text}, in {where})"


def unforeseen(source: str, error: Exception, memory: str) -> str:
    """One sentence for an error at a source that nobody framed: what the machine lacks, or where Mimica is wrong.

    `memory` is what to do where there is too little memory.
    """
    text = " ".join(str(error).split())
    if isinstance(error, MemoryError) or (isinstance(error, RuntimeError) and "memory" in text):
        return f"{source} was not read to its end: it needs more memory than there is; {memory}"
    if isinstance(error, OSError):
        why = error.strerror or type(error).__name__
        return f"{source} was not read to its end: {why}; check the disk and the permissions"
    return f"{source} could not be read because of {defect(error)}"
