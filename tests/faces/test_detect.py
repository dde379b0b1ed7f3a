import numpy as np
import pytest

from mimica.errors import AssetError, UsageError
from mimica.faces.detect import DETECTORS, Refiner, WholeFrame, load_detector


def test_an_unknown_detector_is_named_with_its_nearest_choice():
    with pytest.raises(UsageError, match=r"unknown face detector 'mtcn'; did you mean 'mtcnn'\?"):
        load_detector("mtcn")


def test_missing_weights_say_how_to_get_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    with pytest.raises(AssetError, match="mimica assets fetch mtcnn"):
        load_detector("mtcnn")


def test_without_a_detector_the_whole_picture_is_the_face():
    pictures = [np.zeros((20, 30, 3), np.uint8)] * 2
    found = load_detector("none").detect(pictures)
    assert isinstance(load_detector("none"), WholeFrame)
    assert [[face.box.tolist() for face in faces] for faces in found] == [[[0, 0, 30, 20]]] * 2
    assert found[0][0].score == 1
    assert found[0][0].landmarks is None


def test_only_the_detector_that_can_follow_says_so(mtcnn):
    assert isinstance(mtcnn, Refiner)
    assert not isinstance(WholeFrame(), Refiner)


@pytest.mark.parametrize("name", sorted(DETECTORS))
def test_every_detector_answers_for_each_picture(name, mtcnn):
    pictures = [np.full((64, 96, 3), 90, np.uint8)] * 3
    assert len(load_detector(name).detect(pictures)) == 3
    assert load_detector(name).detect([]) == []
