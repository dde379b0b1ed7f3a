"""The report of an augmentation loop says what its folder holds, names what is missing, and stands alone."""

from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import augmented
import numpy as np
import plotly.graph_objects as go
import pytest
from augmented import page_of
from PIL import Image
from read_page import Page

from mimica.facs import UNITS
from mimica.generation.report import write_report
from mimica.generation.report_clips import chosen
from mimica.generation.report_files import read_loop
from mimica.notice import NOTICE
from mimica.video.read import open_video
from tiny_tuning import SETTINGS, tuned


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("loop")
    augmented.leave(found)
    return found


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return Page(write_report(folder))


def test_the_answer_comes_first_and_the_settings_last(page: Page) -> None:
    assert list(page.cards) == [
        "", "Did it help?", "The arms", "Class by class", "Clips", "Tuning by rewards", "Steps against quality",
        "Why clips were refused", "Cost", "Leakage audit", "Settings and provenance",
    ]  # fmt: skip
    assert page.cards["Did it help?"].words.startswith(augmented.table()["sentence"])


def test_the_page_says_that_clips_are_synthetic_and_what_the_law_says(page: Page) -> None:
    assert "Synthetic clips, made by a generator from stills; they show nothing that anyone did or felt." in (
        page.cards[""].words
    )
    assert NOTICE in page.cards["Settings and provenance"].words


def test_the_page_loads_nothing_from_elsewhere(page: Page) -> None:
    shell = re.sub(r"<script>/\*\*.*?</script>", "", page.text, flags=re.DOTALL)
    assert not re.search(r"\s(src|href)\s*=\s*[\"'](?!data:)", shell)
    assert "@import" not in shell


def test_arms_are_means_over_seeds_with_their_spread_and_interval(page: Page) -> None:
    head, *rows = page.cards["The arms"].rows
    assert head == ["arm", "UAR %", "WAR %", "tail recall %", "disgust", "fear", "ahead, points"]
    assert rows[1] == [
        "class-balanced sampling", "62.0 ± 1.0", "72.0 ± 0.0", "10.0 ± 2.0", "5.0 ± 1.0", "15.0 ± 3.0", "reference"
    ]  # fmt: skip
    assert rows[3] == [
        "full",
        "66.0 ± 1.0",
        "76.0 ± 0.0",
        "21.0 ± 2.0",
        "10.5 ± 1.0",
        "31.5 ± 3.0",
        "+11.0 6.0 to 17.0",
    ]
    assert [row[0] for row in rows] == list(augmented.ARMS)


def test_the_interval_of_each_arm_is_drawn_about_its_lead(page: Page) -> None:
    (points,) = page.figures["lead"]["data"]
    assert points["y"] == ["none", "unfiltered", "full"], "the reference is not held to itself"
    assert points["x"] == pytest.approx([-8, 2, 11])
    low = np.subtract(points["x"], points["error_x"]["arrayminus"])
    high = np.add(points["x"], points["error_x"]["array"])
    assert (low.tolist(), high.tolist()) == (pytest.approx([-13, -3, 6]), pytest.approx([-2, 8, 17]))


def test_an_arm_that_is_not_finished_says_of_how_many_seeds_it_is(tmp_path: Path) -> None:
    said = augmented.table()
    said["arms"][0] |= {name: said["arms"][0][name][:1] for name in ("uar", "war", "recall", "tail")}
    said["arms"][2] |= {name: [] for name in ("uar", "war", "recall", "tail")} | {"ahead": None}
    augmented.put(tmp_path / "table.json", said)
    _, none, _, unfiltered, _ = page_of(tmp_path).cards["The arms"].rows
    assert none[:2] == ["none 1 of 3 seeds", "59.0"], "one seed has no spread"
    assert unfiltered == ["unfiltered 0 of 3 seeds", *["–"] * 6]


def test_few_seeds_are_said_to_be_too_few(tmp_path: Path) -> None:
    augmented.put(tmp_path / "table.json", augmented.table(seeds=2))
    assert "That is of 2 seeds, which is too few to rely on." in page_of(tmp_path).cards["Did it help?"].words


def test_each_class_has_its_clips_and_its_recall_before_and_after_each_round(page: Page) -> None:
    head, *rows = page.cards["Class by class"].rows
    assert head == ["class", "real clips", "wanted", "made", "kept", "kept %", "recall before", "after round 1",
                    "after round 2"]  # fmt: skip
    assert rows[0] == ["happiness", "110", "110", "0", "0", "–", "90.0", "90.0", "89.0"]
    assert rows[5] == ["disgust given up", "8", "30", "28", "3", "11", "0.0", "10.0", "15.0"]
    assert rows[7] == ["all, mean recall", "462", "558", "116", "68", "59", "60.0", "64.6", "67.0"]
    words = page.cards["Class by class"].words
    assert "disgust was given up: it needs real clips" in words
    assert "The loop stopped: validation recall rose in neither of the last 2 rounds." in words


def test_a_strip_has_nine_pictures_of_its_film(page: Page, folder: Path) -> None:
    shown = [clip for clips in chosen(read_loop(folder)).values() for clip in clips]
    assert len(page.images) == 9 * len(shown)
    assert all(image["loading"] == "lazy" for image in page.images)
    for clip, images in zip(shown, np.array(page.images).reshape(-1, 9), strict=True):
        with open_video(folder / clip.path) as video:
            frames = [frame.image for frame in video][::2]
        for frame, image in zip(frames, images, strict=True):
            picture = Image.open(io.BytesIO(base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))))
            small = Image.fromarray(frame).resize(picture.size, Image.Resampling.LANCZOS)
            assert np.abs(np.asarray(picture, float) - np.asarray(small, float)).mean() < 1


def test_a_clip_tells_its_person_by_digest_its_scores_and_why_it_was_refused(page: Page, folder: Path) -> None:
    words = page.cards["Clips"].words
    for clip in read_loop(folder).clips:
        assert f"person {clip.person}" in words
        assert all(reason in words for reason in clip.reasons)
    assert not re.search(r"actor \d", words), "who it is has no name here"
    assert "disgust 2 kept, 1 refused" in words
    assert "units as planned 0.80" in words
    assert "units speak for its class -1.20" in words


def test_curves_are_those_planned_dashed_and_measured_solid_from_the_line_of_their_unit(
    page: Page, folder: Path
) -> None:
    shown = [clip for clips in chosen(read_loop(folder)).values() for clip in clips]
    for i, clip in enumerate(shown):
        figure = page.figures[f"units-{i}"]
        go.Figure(figure["data"], figure["layout"])
        moved = [a for a in range(len(clip.units)) if clip.planned[:, a].max() > 0.05]
        assert figure["layout"]["yaxis"]["ticktext"] == [f"AU{clip.units[a]}" for a in reversed(moved)]
        lines = {line["name"]: line for line in figure["data"] if "name" in line}
        for row, a in enumerate(moved):
            ground = len(moved) - 1 - row
            name = f"AU{clip.units[a]} {UNITS[clip.units[a]].name}"
            assert name in page.cards["Clips"].words, "the legend names it"
            for what, curves, dashed in (("planned", clip.planned, True), ("measured", clip.measured, False)):
                line = lines[f"{name}, {what}"]
                assert line["customdata"] == pytest.approx(curves[:, a], abs=1e-6)
                assert line["y"] == pytest.approx(ground + 0.88 * curves[:, a], abs=1e-3)
                assert ("dash" in line["line"]) is dashed
                assert line["x"] == pytest.approx(np.arange(17) / 8, abs=1e-3)


def test_each_moment_of_the_curves_lies_under_its_picture(page: Page) -> None:
    axis = page.figures["units-0"]["layout"]["xaxis"]["range"]
    middles = axis[0] + (np.arange(9) + 0.5) / 9 * (axis[1] - axis[0])
    assert middles == pytest.approx(np.arange(0, 17, 2) / 8, abs=1e-3)


def test_a_unit_that_came_without_being_planned_is_shown_where_it_is_plain(tmp_path: Path) -> None:
    one = augmented.clips(tmp_path, "fear", 1)[0]
    measured = np.zeros_like(one["planned"])
    measured[5, [0, 1]] = 0.29, 0.3
    rest = np.zeros_like(measured).tolist()
    page = page_of(tmp_path, clips=[one | {"planned": rest, "measured": measured.tolist()}])
    assert page.figures["units-0"]["layout"]["yaxis"]["ticktext"] == ["AU2"]


def test_clips_are_shown_from_best_to_worst_and_refused_for_different_reasons(tmp_path: Path) -> None:
    one = augmented.clips(tmp_path, "fear", 1)[0]

    def like(score: float | None, reason: str = "") -> dict[str, Any]:
        return one | {"kept": not reason, "reasons": [reason] * bool(reason), "scores": {"units": score}}

    kept = [like(score) for score in (0.2, 0.9, None, 0.5, 0.7)]
    lost = [like(0.9, "other: 1"), like(0.8, "other: 2"), like(0.1, "frozen")]
    augmented.put(tmp_path / "loop.json", augmented.loop([*lost, *kept]))
    shown = chosen(read_loop(tmp_path))["fear"]
    assert [clip.scores["units"] for clip in shown[:2]] == [0.9, 0.5]
    assert np.isnan(shown[2].scores["units"]), "what was not measured comes last"
    assert [clip.reasons for clip in shown[3:]] == [("other: 1",), ("frozen",)]


def test_a_film_that_is_gone_or_elsewhere_is_said_and_the_others_are_shown(tmp_path: Path) -> None:
    made = augmented.clips(tmp_path, "fear", 2)
    gone, elsewhere = (made[0] | {"clip": name} for name in ("clips/gone.mp4", "../secret.mp4"))
    (tmp_path.parent / "secret.mp4").write_bytes((tmp_path / made[0]["clip"]).read_bytes())
    page = page_of(tmp_path, clips=[gone, elsewhere, made[1]])
    assert "gone.mp4: no such file" in page.cards["Clips"].words
    assert "../secret.mp4 lies outside of" in page.cards["Clips"].words
    assert len(page.images) == 9
    assert page.figures["units-0"]["layout"]["xaxis"]["range"] == [-1, 17], "curves then count frames"


def test_a_face_at_rest_has_a_strip_and_no_curves(tmp_path: Path) -> None:
    one = augmented.clips(tmp_path, "fear", 1)[0]
    still = np.zeros_like(one["planned"]).tolist()
    page = page_of(tmp_path, clips=[one | {"planned": still, "measured": still}])
    assert "A face at rest was planned, and none of its units was seen to move." in page.cards["Clips"].words
    assert len(page.images) == 9
    assert "units-0" not in page.figures


def test_tuning_is_drawn_by_iteration_with_the_held_out_judge_beside_those_that_reward(page: Page) -> None:
    drawn = {
        name: {line["name"]: line for line in page.figures[name]["data"]}
        for name in ("rewards", "judges", "kl", "diversity")
    }
    rows = augmented.tuning()
    assert set(drawn["rewards"]) == {"total", "units", "identity", "efficiency"}
    assert drawn["rewards"]["units"]["y"] == pytest.approx([row["reward_units"] for row in rows[:-1]])
    assert drawn["judges"]["held out"]["x"] == [0, 3, 6, 9, 12], "where it was asked"
    assert drawn["judges"]["held out"]["y"] == pytest.approx([0.48, 0.498, 0.516, 0.534, 0.552])
    assert drawn["judges"]["rewarding"]["y"] == pytest.approx([0.50, 0.53, 0.56, 0.59, 0.62])
    assert drawn["kl"]["KL"]["y"] == pytest.approx([0.001 * i for i in range(12)])
    assert drawn["diversity"]["diversity"]["y"] == pytest.approx([1.4, 1.37, 1.34, 1.31, 1.28])
    words = page.cards["Tuning by rewards"].words
    assert "gave clips 0.480 before tuning and 0.552 after it" in words
    assert "differ by 91 % of what they did" in words


def test_what_tuning_writes_is_what_the_report_reads(tmp_path: Path) -> None:
    tuned(tmp_path / "tuning", replace(SETTINGS, iterations=2, evaluate_every=1))
    page = page_of(tmp_path)
    assert {line["name"] for line in page.figures["rewards"]["data"]} == {"total", "units", "identity", "efficiency"}
    assert {name: len(page.figures[name]["data"][0]["y"]) for name in ("kl", "judges", "diversity")} == {
        "kl": 2, "judges": 3, "diversity": 3,
    }  # fmt: skip
    held = page.figures["judges"]["data"][1]["y"]
    assert (
        f"gave clips {held[0]:.3f} before tuning and {held[-1]:.3f} after it" in page.cards["Tuning by rewards"].words
    )


def test_every_figure_has_its_place_and_plotly_accepts_it(page: Page) -> None:
    assert set(page.figures) <= set(page.ids)
    for figure in page.figures.values():
        go.Figure(figure["data"], figure["layout"])


def test_steps_are_held_to_the_quality_of_the_most_steps(page: Page) -> None:
    head, *rows = page.cards["Steps against quality"].rows
    assert head == ["steps", "reward", "% of that at 16", "units", "identity", "s a clip"]
    assert rows[0] == ["4", "0.710", "95.9", "0.700", "0.950", "0.21"]
    assert {line["name"]: line["y"] for line in page.figures["quality"]["data"]} == {
        "reward": [0.71, 0.73, 0.74], "units": [0.70, 0.72, 0.73], "identity": [0.95] * 3,
    }  # fmt: skip


def test_reasons_of_refusal_are_counted_over_all_rounds(page: Page) -> None:
    _, *rows = page.cards["Why clips were refused"].rows
    assert rows == [["recogniser", "35", "73", ""], ["units", "17", "35", ""], ["identity", "2", "4", ""]]
    assert "48 of 116 clips were refused" in page.cards["Why clips were refused"].words
    widths = [style for style in page.styles if style.startswith("width:")]
    assert widths[:3] == ["width:100.0%", "width:48.6%", "width:5.7%"]


def test_cost_is_told_by_stage_by_clip_and_by_point_of_tail_recall(page: Page) -> None:
    words, total = page.cards["Cost"].words, 4.2 + 640 + 58 + 31.5 + 1210
    assert f"{total / 116:,.2g} s a clip made, {total / 68:,.2g} s a clip kept" in words
    assert "11.0 points above class-balanced sampling: 3 min a point" in words
    assert page.cards["Cost"].rows[-1][:3] == ["train", "1,210.0", "62"]


@pytest.mark.parametrize(
    ("tail", "low", "said"),
    [(0.09, -0.05, "Not a point of tail recall was gained"), (0.12, -0.01, "it may have bought nothing")],
)
def test_a_gain_that_is_none_has_no_price(tail: float, low: float, said: str, tmp_path: Path) -> None:
    table = augmented.table()
    table["arms"][-1] |= {"tail": [tail] * 3, "ahead": {"value": tail - 0.1, "low": low, "high": 0.1}}
    augmented.put(tmp_path / "table.json", table)
    assert said in page_of(tmp_path).cards["Cost"].words


def test_a_leak_is_told_above_everything_and_listed(tmp_path: Path) -> None:
    leaks = [{"clip": "clips/fear-0.mp4", "what": "its still is of the part test"}]
    audit = {
        "clips": 9,
        "ways": ["people"],
        "leaks": leaks,
        "sentence": "leakage audit: 1 clips hold what they must not",
    }
    page = page_of(tmp_path, audit=audit)
    assert "Leaks. Leakage audit: 1 clips hold what they must not." in page.cards[""].words
    assert "clips/fear-0.mp4: its still is of the part test" in page.cards["Leakage audit"].words
    assert "Leaks." not in page_of(tmp_path).cards[""].words


def test_the_same_folder_gives_the_same_bytes(folder: Path, page: Page) -> None:
    assert write_report(folder).read_text(encoding="utf-8") == page.text
    assert sorted(path.name for path in folder.iterdir()) == [
        "clips", "loop.json", "report.html", "steps.json", "table.json", "tuning",
    ]  # fmt: skip
