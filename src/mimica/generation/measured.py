"""Unit curves of labelled clips as a table states them: one row a clip, columns AU1, AU2 … with a number a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mimica.data.clipset import parse, space_of
from mimica.data.table import read_rows
from mimica.errors import InputError, UsageError
from mimica.facs import UNITS
from mimica.labels import LabelSpace

_SUBJECTS = ("group", "actor")
"""Columns that say who is seen, the first that is there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredClips:
    """N clips of the part `train`: `names`, `labels` in `space`, `curves` [T, A] each, and `subjects`, who is seen.

    `order` are the units of the A columns; one that the table does not have is NaN throughout.
    """

    names: tuple[str, ...]
    labels: np.ndarray
    curves: tuple[np.ndarray, ...]
    subjects: tuple[str, ...]
    space: LabelSpace
    order: tuple[int, ...]


def measured_clips(spec: str) -> MeasuredClips:
    """The training clips of `table:FILE` with their unit curves, such as `mimica data actor` writes them.

    Clips of other parts are left out: nothing that is measured on is learned from. Raises UsageError for data of
    another kind, InputError that names the row where a curve or a class is wrong.
    """
    kind, path = parse(spec)
    if kind != "table":
        raise UsageError(f"{spec} holds no unit curves; give table:FILE, such as mimica data actor writes it")
    space, order = space_of(spec), tuple(UNITS)
    columns, rows = read_rows(path, ("path", "label", "part", *_SUBJECTS, *(f"AU{unit}" for unit in order)))
    if not any(f"AU{unit}" in columns for unit in order):
        raise InputError(f"{path} has no unit curves, columns AU1, AU2 …; mimica data actor writes such a table")
    kept = [(number, row) for number, row in enumerate(rows, start=2) if row["part"] in ("", "train")]
    if not kept:
        raise InputError(f"{path} has no clip of the part train, and nothing else may be learned from")
    who = next((column for column in _SUBJECTS if column in columns), "path")
    found = [(row, space_index(space, row, f"{path}, row {number}"), _curve(row, order, f"{path}, row {number}"))
             for number, row in kept]  # fmt: skip
    return MeasuredClips(
        names=tuple(row["path"] for row, *_ in found), labels=np.array([label for _, label, _ in found]),
        curves=tuple(curve for *_, curve in found), subjects=tuple(row[who] for row, *_ in found), space=space,
        order=order,
    )  # fmt: skip


def space_index(space: LabelSpace, row: Mapping[str, str], where: str) -> int:
    """The place of a row's class. Raises InputError that names the row."""
    try:
        return space.index(row["label"])
    except UsageError as error:
        raise InputError(f"{where}: {error}") from None


def _curve(row: Mapping[str, str], order: tuple[int, ...], where: str) -> np.ndarray:
    curves = {}
    for unit in order:
        if text := row[f"AU{unit}"]:
            try:
                curves[unit] = np.array([float(value) for value in text.split()])
            except ValueError:
                raise InputError(f"{where}: AU{unit} is no list of numbers, one a frame: {text[:40]}") from None
    if len({len(one) for one in curves.values()}) != 1:
        raise InputError(f"{where}: its unit curves are missing or not of one length")
    frames = len(next(iter(curves.values())))
    curve = np.stack([curves.get(unit, np.full(frames, np.nan)) for unit in order], 1)
    if np.nanmin(curve) < 0 or np.nanmax(curve) > 1:
        raise InputError(f"{where}: strengths of units are 0 to 1; divide those on the scale 0 to 5 by 5")
    return curve
