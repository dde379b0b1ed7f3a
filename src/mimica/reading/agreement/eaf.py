"""ELAN annotation documents, read back: every tier with times, whatever kind of tier it is.

The EUDICO Annotation Format, versions 2 and 3 (Max Planck Institute for Psycholinguistics, The Language Archive).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET
from xml.parsers import expat

import numpy as np

from mimica.errors import InputError
from mimica.reading.agreement.coding import Recording, Stretch, file_name

Span = tuple[float, float]
"""The start and the end of an annotation in seconds."""


def read_eaf(file: Path) -> Recording:
    """The annotations of every tier that has some, as people by the tier's name.

    Time slots without a time lie evenly between their neighbours on the tier; what refers to an annotation of
    a parent tier has its time, in equal parts where several do. Words are taken from the controlled vocabulary
    where an annotation only points to it. The media's offsets are kept as `offsets`. Raises InputError where
    the file is no such document.
    """
    root = _root(file)
    try:
        media = _media(root)
        people = _tiers(root, file)
    except (KeyError, ValueError) as error:
        raise InputError(f"{file} is damaged: {_why(error)}; open it in ELAN and save it again") from None
    names = list(media)
    return Recording(
        file=file, source=names[0] if names else file.stem, also=(*names[1:], file.stem), people=people, offsets=media
    )


def _root(file: Path) -> ET.Element:
    """The document, without whatever a document type declaration could have it expand to."""
    builder = ET.TreeBuilder()
    parser = expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.data

    def refuse(*_: Any) -> None:
        raise InputError(f"{file} declares a document type, which no file of ELAN does; it is not read")

    parser.StartDoctypeDeclHandler = refuse
    try:
        with file.open("rb") as opened:
            parser.ParseFile(opened)
        root: ET.Element = builder.close()
    except (expat.ExpatError, ValueError, OSError) as error:
        raise InputError(f"cannot read {file} as a document of ELAN: {error}") from None
    if root.tag != "ANNOTATION_DOCUMENT":
        raise InputError(f"{file} is no document of ELAN: it begins with <{root.tag}>")
    return root


def _why(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)


def _media(root: ET.Element) -> dict[str, float]:
    """Seconds to add to the document's times to have those of each media file, by its name.

    ELAN plays a media file at the document's time plus the file's TIME_ORIGIN.
    """
    offsets = {}
    for media in root.iterfind("HEADER/MEDIA_DESCRIPTOR"):
        name = file_name(media.get("MEDIA_URL", "")) or file_name(media.get("RELATIVE_MEDIA_URL", ""))
        if name:
            offsets[name] = _seconds(media.get("TIME_ORIGIN") or "0")
    return offsets


def _seconds(value: str) -> float:
    if not re.fullmatch(r"-?[0-9]{1,12}", value):
        raise ValueError(f"'{value}' is no time in milliseconds")
    return int(value) / 1000


def _tiers(root: ET.Element, file: Path) -> dict[str, tuple[Stretch, ...]]:
    order = {slot.attrib["TIME_SLOT_ID"]: slot.get("TIME_VALUE") for slot in root.iterfind("TIME_ORDER/TIME_SLOT")}
    spans: dict[str, Span] = {}
    waiting: dict[str, tuple[str, str | None]] = {}
    for tier in root.iterfind("TIER"):
        spans |= _aligned(tier, order, file)
        for reference in tier.iterfind("ANNOTATION/REF_ANNOTATION"):
            named = reference.attrib
            waiting[named["ANNOTATION_ID"]] = named["ANNOTATION_REF"], named.get("PREVIOUS_ANNOTATION")
    tier_of = {annotation.attrib["ANNOTATION_ID"]: tier.attrib["TIER_ID"] for tier in root.iterfind("TIER")
               for annotation in tier.iterfind("ANNOTATION/*")}  # fmt: skip
    _refer(spans, waiting, tier_of)
    vocabulary = _vocabulary(root)
    people = {}
    for tier in root.iterfind("TIER"):
        said = [_stretch(each, spans, vocabulary) for each in tier.iterfind("ANNOTATION/*")]
        if said:
            people[tier.attrib["TIER_ID"]] = tuple(sorted(said, key=lambda stretch: (stretch.start, stretch.end)))
    return people


def _stretch(annotation: ET.Element, spans: Mapping[str, Span], vocabulary: Mapping[str, str]) -> Stretch:
    start, end = spans[annotation.attrib["ANNOTATION_ID"]]
    word = (annotation.findtext("ANNOTATION_VALUE") or "").strip()
    return Stretch(start=start, end=end, word=word or vocabulary.get(annotation.get("CVE_REF", ""), ""))


def _aligned(tier: ET.Element, order: Mapping[str, str | None], file: Path) -> dict[str, Span]:
    """The times of the annotations of a tier that have time slots of their own.

    Slots without a value are told from others by their place in the document's order of time alone.
    """
    found = list(tier.iterfind("ANNOTATION/ALIGNABLE_ANNOTATION"))
    used = {each.attrib[end] for each in found for end in ("TIME_SLOT_REF1", "TIME_SLOT_REF2")}
    if strangers := used - order.keys():
        raise ValueError(f"it has no time slot {min(strangers)}")
    slots = [slot for slot in order if slot in used]
    known = [(i, _seconds(value)) for i, slot in enumerate(slots) if (value := order[slot]) is not None]
    if found and (not known or known[0][0] > 0 or known[-1][0] < len(slots) - 1):
        raise InputError(f"{file}, tier {tier.attrib['TIER_ID']}: an annotation at its start or end has no time")
    places, values = [i for i, _ in known], [time for _, time in known]
    times = np.interp(np.arange(len(slots)), places, values).tolist() if found else []
    at = dict(zip(slots, times, strict=True))
    return {
        each.attrib["ANNOTATION_ID"]: (at[each.attrib["TIME_SLOT_REF1"]], at[each.attrib["TIME_SLOT_REF2"]])
        for each in found
    }


def _refer(spans: dict[str, Span], waiting: Mapping[str, tuple[str, str | None]], tier_of: Mapping[str, str]) -> None:
    """Give annotations that refer to others their times: those of one tier with the same parent share it evenly."""
    shared: dict[tuple[str, str], list[str]] = defaultdict(list)
    for annotation, (parent, _) in waiting.items():
        shared[parent, tier_of[annotation]].append(annotation)
    left = dict(shared)
    while left:
        ready = [key for key in left if key[0] in spans]
        if not ready:
            raise ValueError(f"annotation {min(left)[0]}, to which others refer, is not there")
        for parent, tier in ready:
            start, end = spans[parent]
            chain = _chained(left.pop((parent, tier)), waiting)
            for i, annotation in enumerate(chain):
                length = (end - start) / len(chain)
                spans[annotation] = start + i * length, start + (i + 1) * length


def _chained(annotations: Iterable[str], waiting: Mapping[str, tuple[str, str | None]]) -> list[str]:
    """Annotations in the order of time that each one's previous annotation tells; others as they stand."""
    after: dict[str | None, list[str]] = defaultdict(list)
    mine = dict.fromkeys(annotations)
    for annotation in mine:
        previous = waiting[annotation][1]
        after[previous if previous in mine else None].append(annotation)
    chain: list[str] = []
    heads = after.pop(None, [])[::-1]
    while heads:
        chain.append(heads.pop())
        heads += after.pop(chain[-1], [])[::-1]
    if len(chain) < len(mine):
        raise ValueError(f"annotation {next(iter(mine))} comes before itself")
    return chain


def _vocabulary(root: ET.Element) -> dict[str, str]:
    """The words of the controlled vocabularies by the entry that an annotation may point to."""
    return {
        entry.attrib["CVE_ID"]: (entry.findtext("CVE_VALUE") or "").strip()
        for entry in root.iterfind("CONTROLLED_VOCABULARY/CV_ENTRY_ML")
    }
