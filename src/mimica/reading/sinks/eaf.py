"""Readings as an ELAN annotation document (EAF 3.0): a tier a person, the label over each stretch of time."""

from __future__ import annotations

import mimetypes
from datetime import datetime
from pathlib import Path
from xml.etree import ElementTree as ET

from mimica.clips import Reading
from mimica.labels import EXPRESSIONS
from mimica.notice import NOTICE
from mimica.reading.sinks.base import FileSink, as_json, target, version
from mimica.reading.sinks.spans import Span, Spans

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_TYPE = "apparent expression"
_LANGUAGE = "eng"
_NO_FACE_TIER = "no face"
_STATUSES = {
    "unsure": "a face was seen, but no class reached the threshold of confidence",
    "low_quality": "a face was seen, but too small, blurred or turned away to be read",
    "no_face": "no face was seen",
}
_MIME = {".mkv": "video/x-matroska", ".mov": "video/quicktime", ".gif": "image/gif"}


class EafSink(FileSink):
    """One tier a person, with annotations from a controlled vocabulary of the classes and statuses.

    Windows become annotations that do not overlap, as ELAN demands (see `spans`). Time in which no
    face was seen has a tier of its own. The source is linked as the media file where there is one.
    """

    def _begin(self) -> None:
        self._spans = Spans()

    def _reading(self, event: Reading) -> None:
        self._spans.append(event)

    def _finish(self) -> None:
        root = self._document()
        slots = ET.SubElement(root, "TIME_ORDER")
        for person in self._spans.persons():
            _tier(root, slots, _NO_FACE_TIER if person is None else f"person {person}", self._spans.of(person))
        slots[:] = sorted(slots, key=lambda slot: int(slot.attrib["TIME_VALUE"]))
        ET.SubElement(
            root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=_TYPE, TIME_ALIGNABLE="true", GRAPHIC_REFERENCES="false",
            CONTROLLED_VOCABULARY_REF=_TYPE,
        )  # fmt: skip
        ET.SubElement(
            root, "LANGUAGE", LANG_ID=_LANGUAGE, LANG_DEF="http://cdb.iso.org/lg/CDB-00138502-001", LANG_LABEL="English"
        )
        _vocabulary(root, self.opened.labels)
        tree = ET.ElementTree(root)
        ET.indent(tree)
        tree.write(self.part, encoding="UTF-8", xml_declaration=True)

    def _document(self) -> ET.Element:
        root = ET.Element("ANNOTATION_DOCUMENT", {
            "AUTHOR": f"Mimica {version()}",
            "DATE": datetime.now().astimezone().isoformat(timespec="seconds"),
            "FORMAT": "3.0",
            "VERSION": "3.0",
            "xmlns:xsi": "http://www.w3.org/2001/XMLSchema-instance",
            "xsi:noNamespaceSchemaLocation": _SCHEMA,
        })  # fmt: skip
        header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
        assert self.path is not None
        if link := target(self.path, self.options.link, self.opened.source):
            ET.SubElement(header, "MEDIA_DESCRIPTOR", _media(self.path, link))
        properties = {
            "notice": NOTICE,
            "model": as_json(dict(self.opened.model)),
            "settings": as_json(dict(self.opened.settings)),
            "complete": as_json(self.complete),
            "notes": " ".join(self.closed.notes) if self.closed else "",
        }
        for name, value in properties.items():
            ET.SubElement(header, "PROPERTY", NAME=f"mimica.{name}").text = value
        return root


def _tier(root: ET.Element, slots: ET.Element, name: str, spans: list[Span]) -> None:
    tier = ET.SubElement(root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=name, PARTICIPANT=name, ANNOTATOR="Mimica")
    for span in spans:
        ends = []
        for time in (span.start, span.end):
            ends.append(f"ts{len(slots) + 1}")
            ET.SubElement(slots, "TIME_SLOT", TIME_SLOT_ID=ends[-1], TIME_VALUE=str(round(time * 1000)))
        annotation = ET.SubElement(ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", {
            "ANNOTATION_ID": f"a{len(slots) // 2}", "TIME_SLOT_REF1": ends[0], "TIME_SLOT_REF2": ends[1],
            "CVE_REF": _entry(span.says),
        })  # fmt: skip
        ET.SubElement(annotation, "ANNOTATION_VALUE").text = span.says


def _vocabulary(root: ET.Element, labels: tuple[str, ...]) -> None:
    vocabulary = ET.SubElement(root, "CONTROLLED_VOCABULARY", CV_ID=_TYPE)
    described = ET.SubElement(vocabulary, "DESCRIPTION", LANG_REF=_LANGUAGE)
    described.text = "What a face looks like to a trained model, never what someone feels"
    known = dict(zip(EXPRESSIONS.names, EXPRESSIONS.descriptions, strict=True))
    for value in (*labels, *_STATUSES):
        meaning = _STATUSES.get(value) or known.get(value, (f"apparent {value}",))[0]
        entry = ET.SubElement(vocabulary, "CV_ENTRY_ML", CVE_ID=_entry(value))
        ET.SubElement(entry, "CVE_VALUE", LANG_REF=_LANGUAGE, DESCRIPTION=meaning).text = value


def _entry(value: str) -> str:
    """An identifier for a vocabulary entry: XML allows letters, digits, `_` and `-` in it."""
    return "cve_" + "".join(c if c.isascii() and c.isalnum() else f"-{ord(c):x}-" for c in value)


def _media(path: Path, link: str) -> dict[str, str]:
    mime = _MIME.get(Path(link).suffix.lower()) or mimetypes.guess_type(link)[0] or "video/*"
    if "://" in link:
        return {"MEDIA_URL": link, "MIME_TYPE": mime}
    absolute = (path.resolve().parent / link).resolve()
    media = {"MEDIA_URL": absolute.as_uri(), "MIME_TYPE": mime}
    if not Path(link).is_absolute():
        media["RELATIVE_MEDIA_URL"] = link if link.startswith(".") else f"./{link}"
    return media
