from __future__ import annotations

from mimica.data.scene import scene_space
from mimica.facs import CORES, UNITS
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.training.captions import captions


def test_every_class_has_its_texts_and_its_units_captions_once() -> None:
    told = captions(EXPRESSIONS)
    for place, (name, described) in enumerate(zip(EXPRESSIONS.names, EXPRESSIONS.descriptions, strict=True)):
        mine = [text for text, c in told if c == place]
        assert len(set(mine)) == len(mine)
        assert set(described) < set(mine)
        assert f"a photo of a face that shows {name}" in mine
        for unit in CORES[name]:
            assert f"{name}: a face on which {UNITS[unit].look}" in mine


def test_no_caption_stands_for_two_classes() -> None:
    texts = [text for text, _ in captions(EXPRESSIONS)]
    assert len(set(texts)) == len(texts)


def test_captions_are_in_the_order_of_the_classes_and_leave_none_out() -> None:
    classes = [c for _, c in captions(EXPRESSIONS)]
    assert classes == sorted(classes)
    assert set(classes) == set(range(7))


def test_classes_that_facs_knows_no_core_of_have_their_texts() -> None:
    space = LabelSpace(name="pair", names=("pain", "boredom"), descriptions=(("it hurts",), ("it yawns", "it stares")))
    assert captions(space) == [
        ("a photo of a face that shows pain", 0), ("it hurts", 0),
        ("a photo of a face that shows boredom", 1), ("it yawns", 1), ("it stares", 1),
    ]  # fmt: skip


def test_a_thing_in_a_scene_is_captioned_as_one_and_has_no_face() -> None:
    told = captions(scene_space("train"))
    assert ("a bright and warm place with flowers on a meadow", 1) in told
    assert not any("face" in text for text, _ in told)
