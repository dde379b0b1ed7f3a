from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from coded import aligned, document, elan, medium, reading, referring, slots, written
from hypothesis import given
from hypothesis import strategies as st
from pympi import Eaf

from mimica.errors import InputError
from mimica.reading.agreement.coding import Stretch
from mimica.reading.agreement.eaf import read_eaf


def said(stretches: tuple[Stretch, ...]) -> list[tuple[float, float, str | None]]:
    return [(round(each.start, 6), round(each.end, 6), each.word) for each in stretches]


def test_every_tier_with_annotations_is_read_by_its_name_in_order_of_time(tmp_path: Path) -> None:
    tiers = {"mother": [(2, 3.5, "joy & pride"), (0, 1, "")], "empty": [], "Kind, 3 J.": [(0.25, 0.5, "wütend")]}
    found = read_eaf(elan(tmp_path / "x.eaf", tiers))
    assert {name: said(each) for name, each in found.people.items()} == {
        "mother": [(0, 1, ""), (2, 3.5, "joy & pride")], "Kind, 3 J.": [(0.25, 0.5, "wütend")],
    }  # fmt: skip


words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8).map(str.strip)
tiers = st.dictionaries(
    st.text("abc xyz'\"<&", min_size=1, max_size=5).map(str.strip).filter(bool),
    st.lists(st.tuples(st.integers(0, 5000), st.integers(1, 900), words), min_size=1, max_size=4),
    max_size=3,
)


@given(tiers)
def test_what_a_library_for_elan_writes_is_read_as_it_reads_it(drawn: dict[str, list[tuple[int, int, str]]]) -> None:
    theirs = Eaf()
    for name, tier in drawn.items():
        theirs.add_tier(name)
        for start, length, word in tier:
            theirs.add_annotation(name, start, start + length, word)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.eaf"
        theirs.to_file(path)
        found = read_eaf(path).people
        again = Eaf(path)
    assert set(found) == set(drawn)
    for name in drawn:
        expected = sorted((a / 1000, b / 1000, w.strip()) for a, b, w in again.get_annotation_data_for_tier(name))
        assert sorted(said(found[name])) == expected


def test_slots_without_a_time_lie_evenly_between_those_of_their_tier(tmp_path: Path) -> None:
    # Another tier's open slots between them do not count.
    times = [0, None, None, None, 900, 2000]
    parts = {
        "divided": aligned("a1", 0, 1, "x") + aligned("a2", 1, 3, "y") + aligned("a3", 3, 4, "z"),
        "other": aligned("a4", 0, 2, "p") + aligned("a5", 2, 4, "q") + aligned("a6", 4, 5, "r"),
    }
    found = read_eaf(document(tmp_path / "x.eaf", times, parts)).people
    assert said(found["divided"]) == [(0, 0.3, "x"), (0.3, 0.6, "y"), (0.6, 0.9, "z")]
    assert said(found["other"]) == [(0, 0.45, "p"), (0.45, 0.9, "q"), (0.9, 2, "r")]


def test_an_end_without_a_time_and_without_a_neighbour_is_refused(tmp_path: Path) -> None:
    path = document(tmp_path / "x.eaf", [0, None], {"mother": aligned("a1", 0, 1, "x")})
    with pytest.raises(InputError, match=r"x\.eaf, tier mother: .* has no time"):
        read_eaf(path)


def test_what_refers_to_a_parent_has_its_time_and_shares_it_in_the_order_told(tmp_path: Path) -> None:
    parts = {
        "grandchild": referring("a9", "a4", "both"),
        "child": referring("a5", "a1", "third", after="a3") + referring("a3", "a1", "second", after="a4")
        + referring("a4", "a1", "first") + referring("a6", "a2", "alone"),
        "parent": aligned("a1", 0, 1, "") + aligned("a2", 2, 3, ""),
    }  # fmt: skip
    found = read_eaf(document(tmp_path / "x.eaf", [0, 900, 2000, 3000], parts)).people
    assert said(found["child"]) == [(0, 0.3, "first"), (0.3, 0.6, "second"), (0.6, 0.9, "third"), (2, 3, "alone")]
    assert said(found["grandchild"]) == [(0, 0.3, "both")]


def test_a_word_that_is_only_pointed_to_comes_from_the_vocabulary(tmp_path: Path) -> None:
    tier = aligned("a1", 0, 1, "").replace("TIME_SLOT_REF1", 'CVE_REF="c1" TIME_SLOT_REF1')
    tier += aligned("a2", 1, 2, "sad").replace("TIME_SLOT_REF1", 'CVE_REF="c1" TIME_SLOT_REF1')
    words = "<CONTROLLED_VOCABULARY CV_ID='v'><CV_ENTRY_ML CVE_ID='c1'><CVE_VALUE LANG_REF='x'>happy</CVE_VALUE>"
    words += "</CV_ENTRY_ML></CONTROLLED_VOCABULARY>"
    found = read_eaf(document(tmp_path / "x.eaf", [0, 1000, 2000], {"mother": tier}, after=words)).people
    assert [each.word for each in found["mother"]] == ["happy", "sad"]


def test_media_are_known_by_name_with_what_has_to_be_added_to_have_their_time(tmp_path: Path) -> None:
    media = medium("file:///C:/my%20study/day 1.mp4", 1500) + medium("./sound.wav")
    found = read_eaf(elan(tmp_path / "coder A.eaf", {"mother": [(0, 1, "x")]}, media=media))
    assert (found.source, found.also) == ("day 1.mp4", ("sound.wav", "coder A"))
    assert found.offsets == {"day 1.mp4": 1.5, "sound.wav": 0.0}
    assert said(found.people["mother"]) == [(0, 1, "x")]


def test_our_own_documents_are_read_back(tmp_path: Path) -> None:
    rows = [reading(0, 1, "happiness"), reading(1, 2, "fear", status="unsure"), reading(2, 3, None, person=None,
            status="no_face")]  # fmt: skip
    found = read_eaf(written(tmp_path / "v.eaf", rows)).people
    assert {name: said(each) for name, each in found.items()} == {
        "person 0": [(0, 1, "happiness"), (1, 2, "unsure")], "no face": [(2, 3, "no_face")],
    }  # fmt: skip


BOMB = "<!DOCTYPE x [" + "".join(
    f'<!ENTITY e{i} "{f"&e{i - 1};" * 10 if i else "ha"}">' for i in range(12)
) + "]>"  # fmt: skip


@pytest.mark.parametrize("before", [BOMB, '<!DOCTYPE x SYSTEM "beside.dtd">'])
def test_entities_are_never_expanded_and_no_other_file_is_looked_at(tmp_path: Path, before: str) -> None:
    path = document(tmp_path / "x.eaf", [0, 1000], {"m": aligned("a1", 0, 1, "W").replace("W", "&e11;")}, before=before)
    with pytest.raises(InputError, match="declares a document type"):
        read_eaf(path)


def bare(tier: str, times: str = "") -> str:
    return f"<ANNOTATION_DOCUMENT><TIME_ORDER>{times}</TIME_ORDER>{tier}</ANNOTATION_DOCUMENT>"


ONE = aligned("a1", 0, 1, "x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot read"),
        ("start,end\n1,2\n", "cannot read"),
        ("<ANNOTATION_DOCUMENT><TIME_ORDER>", "cannot read"),
        ("<html/>", "no document of ELAN: it begins with <html>"),
        (bare(f"<TIER TIER_ID='m'>{ONE}</TIER>"), "no time slot ts0"),
        (bare(f"<TIER>{ONE}</TIER>", slots([0, 9])), "lacks 'TIER_ID'"),
        (bare(f"<TIER TIER_ID='m'>{ONE}</TIER>", slots([0, 9]).replace("9", "now")), "'now' is no time"),
        (
            bare(f"<TIER TIER_ID='m'>{referring('a1', 'a2', 'x')}</TIER>"),
            "annotation a2, to which others refer, is not",
        ),
    ],
)
def test_what_is_no_document_or_damaged_is_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "x.eaf"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"x\.eaf") as error:
        read_eaf(path)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_annotations_that_come_before_themselves_are_refused(tmp_path: Path) -> None:
    ring = referring("a2", "a1", "x", after="a3") + referring("a3", "a1", "y", after="a2")
    path = document(tmp_path / "x.eaf", [0, 1000], {"parent": aligned("a1", 0, 1, ""), "child": ring})
    with pytest.raises(InputError, match="comes before itself"):
        read_eaf(path)
