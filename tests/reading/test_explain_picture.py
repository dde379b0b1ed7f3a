from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from drawn import SIDE, alone, folder, photo, picture
from mimica.errors import InputError, MissingExtra, UsageError
from mimica.labels import EXPRESSIONS, LabelSpace
from mimica.look.palette import luminance
from mimica.look.picture import check, style
from mimica.notice import SHORT
from mimica.reading.explain import Explanation
from mimica.reading.explain_picture import _Page, draw

LONG = "a face that looks as if it had met a very long description of subtle changes, and then another, " * 4


def explanation(T: int = 8, heads: int = 4, classes: int = 7, *, sharp: float = 1.0, **changes: Any) -> Explanation:
    random = np.random.default_rng(T + 100 * heads + classes)
    labels = (*EXPRESSIONS.names, *(f"class {i}" for i in range(classes)))[:classes]

    def shares(*shape: int) -> np.ndarray:
        values = np.exp(sharp * random.normal(size=shape))
        return np.asarray(values / values.sum(-1, keepdims=True))

    return Explanation(
        **{
            "model": "duse-tiny", "temperature": 1.0714, "person": 0, "start": 2.0, "end": 2 + T / 8,
            "faces": random.integers(0, 256, (T, SIDE, SIDE, 3), np.uint8), "times": 2 + np.arange(T) / 8,
            "frames": shares(T), "classes": shares(heads, classes) if heads else None, "probabilities": shares(classes),
            "labels": labels, "texts": tuple((f"{label}: how it looks",) for label in labels), "source": "a/clip.mp4",
            "chosen": "the only person; the only window",
        } | changes
    )  # fmt: skip


@pytest.fixture
def styled() -> Iterator[None]:
    with style():
        yield


def page(told: Explanation) -> Any:
    figure = _Page(told, pixels=True).drawn()
    figure.canvas.draw()
    return figure.axes[0]


def boxes(axes: Any) -> list[tuple[str, Any]]:
    """Every text of a picture with its place in pixels, from the lower left."""
    return [(text.get_text(), text.get_window_extent()) for text in axes.texts]


def said(axes: Any) -> str:
    return "\n".join(text.get_text() for text in axes.texts)


def bars(axes: Any, colour: str) -> list[Any]:
    from matplotlib.colors import to_hex

    return [patch for patch in axes.patches if to_hex(patch.get_facecolor()) == colour]


SHAPES = [
    {"T": 1, "heads": 1, "classes": 2},
    {"T": 2, "heads": 8, "classes": 7, "texts": ((LONG,),) * 7, "status": "low_quality"},
    {"T": 16, "heads": 4, "classes": 7, "source": "a name " * 40 + ".mp4", "status": "unsure"},
    {"T": 17, "heads": 0, "classes": 3, "texts": EXPRESSIONS.descriptions[:3]},
    {"T": 32, "heads": 16, "classes": 14, "person": 3},
    {"T": 5, "classes": 2, "labels": ("a-name-of-a-class-that-has-no-spaces", "one with $5 & $6"),
     "texts": (("x" * 400,), ("short", ""))},
]  # fmt: skip


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: "-".join(str(v) for v in list(shape.values())[:3]))
def test_every_text_has_its_own_room_on_the_page(shape: dict[str, Any]) -> None:
    axes = page(explanation(**shape))
    width, height = axes.figure.canvas.get_width_height()
    assert width == 1600
    placed = [(text, box) for text, box in boxes(axes) if text]
    for text, box in placed:
        assert 0 <= box.x0 < box.x1 <= width, text
        assert 0 <= box.y0 < box.y1 <= height, text
        assert box.height >= 9, "letters high enough to read"
    for (one, a), (other, b) in combinations(placed, 2):
        apart = a.x1 <= b.x0 or b.x1 <= a.x0 or a.y1 <= b.y0 + 1 or b.y1 <= a.y0 + 1
        assert apart, (one, other)


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("T", [1, 6, 32])
def test_under_each_face_stands_a_bar_as_high_as_its_weight(T: int) -> None:
    told = explanation(T, person=3)
    axes = page(told)
    drawn = bars(axes, "#ccbb44")
    assert len(drawn) == len(axes.images) == T
    heights = np.array([bar.get_height() for bar in drawn])
    assert np.allclose(heights / heights.sum(), told.frames)
    for bar, face, values in zip(drawn, axes.images, told.faces, strict=True):
        left, right, below, above = face.get_extent()
        assert bar.get_x() + bar.get_width() / 2 == pytest.approx((left + right) / 2)
        assert bar.get_y() >= below > above, "y grows downward"
        assert np.array_equal(face.get_array(), values)
    for time, weight in zip(told.times, told.frames, strict=True):
        assert f"{time:.2f} s" in said(axes)
        assert f"{100 * weight:.1f} %" in said(axes)


@pytest.mark.usefixtures("styled")
def test_a_thin_line_stands_where_all_bars_would_end_if_all_frames_counted_alike() -> None:
    axes = page(explanation(5, frames=np.full(5, 0.2)))
    tops = {bar.get_y() for bar in bars(axes, "#4477aa")}
    lines = [line.get_ydata()[0] for line in axes.lines if line.is_dashed()]
    assert lines == pytest.approx(list(tops))
    assert "1/5: 20.0 %" in said(axes)


@pytest.mark.usefixtures("styled")
def test_every_head_and_their_mean_stand_beside_the_text_of_each_class() -> None:
    told = explanation(4, heads=3)
    assert told.classes is not None
    rows: dict[float, list[tuple[float, str]]] = {}
    for text in page(told).texts:
        x, y = text.get_position()
        rows.setdefault(y, []).append((x, text.get_text()))
    found = {row[0][1]: [text for _, text in sorted(row)] for row in rows.values() if row[0][1] in told.labels}
    assert list(found) == list(told.labels)
    for c, label in enumerate(told.labels):
        weights = [f"{100 * w:.1f}" for w in (*told.classes[:, c], told.classes[:, c].mean())]
        mark = "  ◂ read" if c == told.shown else ""
        assert found[label] == [label, *weights, told.texts[c][0], f"{100 * told.probabilities[c]:.1f} %{mark}"]


@pytest.mark.usefixtures("styled")
def test_a_cell_is_the_darker_the_more_a_head_draws_on_a_text() -> None:
    from matplotlib.colors import to_hex

    weights = np.array([[0.05, 0.15, 0.8], [0.3, 0.31, 0.39]])
    axes = page(replace(explanation(2, heads=2, classes=3), classes=weights))
    shade = {}
    for text in axes.texts:
        if text.get_text() in {f"{100 * w:.1f}" for w in weights.flat}:
            x, y = text.get_position()
            under = [p for p in axes.patches if p.get_bbox().contains(x, y) and p.get_zorder() == 2]
            shade[float(text.get_text())] = luminance(to_hex(under[-1].get_facecolor()))
    assert len(shade) == 6
    assert [shade[w] for w in sorted(shade)] == sorted(shade.values(), reverse=True)
    assert len(set(shade.values())) == 6


@pytest.mark.usefixtures("styled")
def test_a_bar_is_as_long_as_a_class_is_probable() -> None:
    told = explanation(2, probabilities=np.array([0.5, 0.25, 0.1, 0.05, 0.05, 0.03, 0.02]))
    axes = page(told)
    longest = max(bar.get_width() for bar in bars(axes, "#e69f00"))
    for colour, share in (("#0072b2", 0.25), ("#009e73", 0.03)):
        lengths = [bar.get_width() / longest * 0.5 for bar in bars(axes, colour)]
        assert any(length == pytest.approx(share) for length in lengths)


@pytest.mark.usefixtures("styled")
def test_the_page_says_who_when_what_which_model_and_what_it_is_not() -> None:
    told = explanation(4, status="unsure", person=2)
    words = said(page(told))
    label = told.labels[told.shown]
    assert f"clip.mp4 · person 2 · 2.00 to 2.50 s · read as {label}, " in words
    assert "(unsure)" in words
    assert f"duse-tiny · temperature 1.07 · {SHORT}" in words
    assert told.chosen in words


@pytest.mark.usefixtures("styled")
def test_a_model_without_semantic_attention_has_no_heads_on_its_page() -> None:
    words = said(page(explanation(4, heads=0)))
    assert "no semantic attention" in words
    assert "head 1" not in words
    assert "happiness: how it looks" in words


@pytest.mark.parametrize("ending", [".png", ".svg", ".pdf", ".PNG"])
def test_the_same_explanation_gives_the_same_bytes_whatever_the_users_settings_of_matplotlib(
    tmp_path: Path, ending: str
) -> None:
    import matplotlib

    paths = [tmp_path / "new" / f"{name}{ending}" for name in "ab"]
    draw(explanation(3), paths[0])
    with matplotlib.rc_context({"font.size": 30, "axes.facecolor": "red", "savefig.bbox": "tight"}):
        draw(explanation(3), paths[1])
        assert matplotlib.rcParams["font.size"] == 30, "and leaves them as they were"
    first = paths[0].read_bytes()
    assert first == paths[1].read_bytes()
    assert first[:4] == {".png": b"\x89PNG", ".svg": b"<?xm", ".pdf": b"%PDF"}[ending.lower()]
    assert sorted(path.name for path in paths[0].parent.iterdir()) == [path.name for path in paths]


def test_a_png_is_1600_pixels_wide_and_shows_the_faces(tmp_path: Path) -> None:
    red = np.zeros((2, 16, 16, 3), np.uint8)
    red[..., 0] = 255
    draw(explanation(2, faces=red), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.width == 1600
        pixels = np.asarray(image.convert("RGB"))
    assert ((pixels == [255, 0, 0]).all(-1)).sum() > 2 * 150 * 150


def test_letters_that_no_font_has_are_no_error_and_no_warning(tmp_path: Path) -> None:
    odd = LabelSpace(name="odd", names=("喜び", "ہنسی"), descriptions=(("口角が上がる",), ("\U0001f600 $\\of{no}$",)))
    told = explanation(2, classes=2, labels=odd.names, texts=odd.descriptions, source="表情.mp4")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        draw(told, tmp_path / "a.png")


@pytest.mark.parametrize("name", ["a.jpg", "a", "a.png.txt"])
def test_an_ending_that_is_not_known_is_answered_with_those_that_are(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match=r"unknown ending of a picture .*Choose from: \.png, \.svg, \.pdf"):
        draw(explanation(1), tmp_path / name)


def test_what_is_read_is_not_drawn_over(tmp_path: Path) -> None:
    source = photo(tmp_path / "face.png", picture({}))
    frames = folder(tmp_path / "frames", alone(2))
    for place, read in ((source, source), (frames / "explain.png", frames)):
        with pytest.raises(UsageError, match=r"would change .*--out"):
            check(place, str(read))
    assert check(tmp_path / "explain.svg", str(source)) == "svg"


def test_matplotlib_comes_with_an_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtra, match=r"matplotlib.*mimica\[train\]"):
        check(Path("a.png"))


def test_a_place_that_cannot_be_written_to_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "there.png").mkdir()
    for path in (tmp_path / "file" / "a.png", tmp_path / "there.png"):
        with pytest.raises(InputError, match=r"cannot write .*--out"):
            draw(explanation(1), path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "there.png"], "nothing is left behind"
