"""Lists of clips as many repositories keep them: lines `path frames label`, parted by spaces.

A path is absolute or relative to the list's own folder. A label is the name of a class, or a number in an
order that is named (`labels.ORDERS`, or a `label_space.json` beside the list), never a bare number: lists
of one data set are about in more than one order. Where the folder that a clip lies in is named after its
class, the order is held to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from mimica.data.clipset import SPACE_FILE
from mimica.data.published import LabelFile, Published, Row, lines_of
from mimica.errors import InputError, UsageError
from mimica.labels import ORDERS, LabelSpace, ordered


def read_list(path: Path, space: LabelSpace, order: str | None) -> Published:
    """The clips of a list, of no part; their classes are of that space.

    Raises UsageError where numbers are given without an order or in another than the named one, InputError
    for a line of another form, a number without a class, or a list none of whose clips is there.
    """
    rows = [_row(path, line, text) for line, text in lines_of(path)]
    numbered = [row for row in rows if row.label.isdecimal()]
    if numbered:
        stated = (path.parent / SPACE_FILE).is_file()
        names = ORDERS[order] if order else space.names if stated else None
        _hold(path, numbered, order, names)
        rows = [_named(row, names or (), order) for row in rows]
    clips = {row.clip: place for row in rows if (place := path.parent / row.clip).exists()}
    if rows and not clips:
        raise InputError(
            f"{path}: none of its {len(rows)} clips is there, the first would be {path.parent / rows[0].clip}; "
            "paths are absolute or relative to the list's folder"
        )
    classes = {word for word in {row.shown for row in rows} if word in space}
    shown = [row if row.shown in classes else replace(row, shown="") for row in rows]
    file = LabelFile(path=path, rows=lambda: shown)
    return Published(name=path.name, space=space, files=[file], clips=clips, place=path.parent)


def _row(path: Path, line: int, text: str) -> Row:
    place, *said = text.rsplit(maxsplit=2)
    if len(said) != 2 or not said[0].isdecimal():
        raise InputError(f"{path}, line {line}: '{text}' is not of the form: path frames label")
    folder = Path(place).parent.name
    return Row(clip=place, label=said[1], frames=int(said[0]), shown=folder, file=path, line=line)


def _named(row: Row, names: Sequence[str], order: str | None) -> Row:
    if not row.label.isdecimal():
        return row
    if int(row.label) >= len(names):
        listed = f"the order {order}" if order else "label_space.json"
        raise InputError(f"{row.where}: {listed} has no class {row.label}; from 0 they are {', '.join(names)}")
    return replace(row, label=names[int(row.label)])


def _hold(path: Path, rows: Sequence[Row], order: str | None, names: Sequence[str] | None) -> None:
    """Raise UsageError where an order has to be named, or the folders of all clips speak for another."""
    firsts = list({(row.shown, row.label): row for row in reversed(rows)}.values())
    against = {name: _contradiction(firsts, name) for name in ORDERS}
    fitting = [name for name, row in against.items() if row is None]
    if names is None:
        told = [name for name in fitting if any(row.shown in ordered(name) for row in firsts)]
        hint = f"; going by the folders of its clips it is {told[0]}" if told else ""
        orders = "; ".join(f"{name} ({', '.join(listed)})" for name, listed in ORDERS.items())
        raise UsageError(
            f"{path} numbers its classes, so say in which order: list:{told[0] if told else 'ORDER'}:{path}{hint}. "
            f"The orders are {orders}"
        )
    row = against[order] if order else None
    if row and fitting:
        raise UsageError(
            f"{row.where}: label {row.label} is {_class(names, row.label)} in the order {order}, but the clip lies in "
            f"the folder {row.shown}; the order that fits is {fitting[0]}: list:{fitting[0]}:{path}"
        )


def _contradiction(rows: Sequence[Row], order: str) -> Row | None:
    """The first row whose number is not, in this order, the class that its clip's folder is named after."""
    names, space = ORDERS[order], ordered(order)
    for row in sorted(rows, key=lambda row: row.line):
        if row.shown in space and space.names[space.index(row.shown)] != _class(names, row.label):
            return row
    return None


def _class(names: Sequence[str], label: str) -> str:
    return names[int(label)] if int(label) < len(names) else "no class"
