from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mimica import checkpoint
from mimica.errors import CheckpointError, InputError

TENSORS = {
    "weight": torch.arange(6.0).view(2, 3).half(),
    "turned": torch.arange(6.0).view(2, 3).T,  # not contiguous
    "count": torch.tensor(7),
    "none": torch.zeros(0, 4),
    "mask": torch.tensor([True, False]),
}


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "model.safetensors"
    checkpoint.save(path, TENSORS, {"kind": "test", "frames": 16, "from": Path("a")})
    return path


def test_what_is_saved_is_loaded_to_the_bit_with_its_facts(saved: Path) -> None:
    tensors, facts = checkpoint.load(saved)
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    assert (facts["kind"], facts["frames"], facts["from"]) == ("test", 16, "a")


def test_facts_can_be_read_without_the_tensors(saved: Path) -> None:
    saved.unlink()
    assert checkpoint.read_facts(saved)["frames"] == 16


def test_weights_that_take_a_gradient_can_be_saved(tmp_path: Path) -> None:
    layer = nn.Linear(2, 2)
    checkpoint.save(tmp_path / "a.safetensors", dict(layer.named_parameters()), {})
    assert torch.equal(checkpoint.load(tmp_path / "a.safetensors")[0]["weight"], layer.weight)


def test_saving_again_replaces_and_leaves_nothing_behind(saved: Path) -> None:
    checkpoint.save(saved, {"only": torch.ones(1)}, {"kind": "second"})
    tensors, facts = checkpoint.load(saved)
    assert list(tensors) == ["only"]
    assert facts["kind"] == "second"
    assert sorted(p.name for p in saved.parent.iterdir()) == ["model.json", "model.safetensors"]


def test_a_disk_that_fills_up_while_saving_leaves_the_old_checkpoint_whole(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced = []

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) == 2:  # the tensors are written, their facts are not
            raise OSError("No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*model\.safetensors: No space left on device"):
        checkpoint.save(saved, {"only": torch.ones(1)}, {"kind": "second"})
    assert checkpoint.load(saved)[1]["kind"] == "test"


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        (".safetensors", r"cannot read the weights .*model\.safetensors"),
        (".json", r"there is no .*model\.json; .*two files"),
    ],
)
def test_half_a_checkpoint_is_named_as_what_cannot_be_read(saved: Path, missing: str, said: str) -> None:
    saved.with_suffix(missing).unlink()
    with pytest.raises(CheckpointError, match=said):
        checkpoint.load(saved)


def test_tensors_that_their_facts_do_not_describe_are_refused(saved: Path) -> None:
    other = saved.with_name("other.safetensors")
    checkpoint.save(other, {"weight": torch.ones(1)}, {})
    other.replace(saved)
    with pytest.raises(CheckpointError, match=r"is not the file that model\.json describes; copy both again"):
        checkpoint.load(saved)


def test_a_file_cut_short_is_refused(saved: Path) -> None:
    saved.write_bytes(saved.read_bytes()[:-3])
    with pytest.raises(CheckpointError, match="copy both again"):
        checkpoint.load(saved)


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "null", "\ufeff{}"])
def test_a_sidecar_that_is_not_one_is_refused_in_a_sentence(saved: Path, text: str) -> None:
    saved.with_suffix(".json").write_text(text)
    with pytest.raises(CheckpointError, match=r"model\.json"):
        checkpoint.load(saved)


def test_a_checkpoint_of_another_format_says_which_this_version_reads(saved: Path) -> None:
    sidecar = saved.with_suffix(".json")
    sidecar.write_text(json.dumps(json.loads(sidecar.read_text()) | {"format": 2}))
    with pytest.raises(CheckpointError, match="has format 2; this version reads format 1"):
        checkpoint.load(saved)


def test_filling_a_module_brings_tensors_to_its_own_precision() -> None:
    layer = nn.Linear(2, 2)
    checkpoint.fill(layer, {"weight": torch.eye(2).half(), "bias": torch.ones(2).half()}, "here")
    assert layer.weight.dtype == torch.float32
    assert torch.equal(layer.weight, torch.eye(2))


@pytest.mark.parametrize(
    ("tensors", "reason"),
    [
        ({"weight": torch.eye(2)}, "missing: bias"),
        ({"weight": torch.eye(2), "bias": torch.ones(2), "more": torch.ones(1)}, "left over: more"),
        ({"weight": torch.eye(3), "bias": torch.ones(2)}, "of another shape: weight"),
        ({f"x{i}": torch.ones(1) for i in range(6)}, r"left over: x0, x1, x2, x3 and 2 more"),
    ],
)
def test_what_does_not_fit_a_module_is_listed_and_nothing_is_loaded(
    tensors: dict[str, torch.Tensor], reason: str
) -> None:
    layer = nn.Linear(2, 2)
    before = layer.weight.detach().clone()
    with pytest.raises(CheckpointError, match=f"here does not fit Linear: .*{reason}"):
        checkpoint.fill(layer, tensors, "here")
    assert torch.equal(layer.weight, before)


class Headed(nn.Module):
    """A layer on a part whose weights come from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.tower, self.towering = nn.Linear(2, 2), nn.Linear(2, 1)


def test_a_part_that_is_left_keeps_its_weights_and_the_rest_is_filled_as_strictly() -> None:
    module = Headed()
    before = {name: t.clone() for name, t in module.tower.state_dict().items()}
    rest = {"towering.weight": torch.ones(1, 2), "towering.bias": torch.ones(1)}
    checkpoint.fill(module, rest, "here", leave="tower")
    assert torch.equal(module.towering.weight, torch.ones(1, 2))
    assert all(torch.equal(t, before[name]) for name, t in module.tower.state_dict().items())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"towering.bias": None}, r"missing: towering\.bias"),
        ({"tower.weight": torch.ones(2, 2)}, r"left over: tower\.weight"),
        ({"towering.bias": torch.ones(2)}, r"of another shape: towering\.bias"),
    ],
)
def test_weights_for_a_part_that_is_left_are_too_many(change: dict[str, torch.Tensor | None], reason: str) -> None:
    given = {"towering.weight": torch.ones(1, 2), "towering.bias": torch.ones(1), **change}
    tensors = {name: t for name, t in given.items() if t is not None}
    with pytest.raises(CheckpointError, match=f"here does not fit Headed: {reason}"):
        checkpoint.fill(Headed(), tensors, "here", leave="tower")


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    path = tmp_path / "deep" / "state.safetensors"
    checkpoint.pack(path, TENSORS, {"kind": "test", "sums": {"loss": 0.1 + 0.2}, "from": Path("a")})
    return path


def test_what_is_packed_is_one_file_and_comes_out_to_the_bit_with_its_facts(packed: Path) -> None:
    tensors, facts = checkpoint.unpack(packed)
    assert tensors.keys() == TENSORS.keys()
    for name, value in TENSORS.items():
        assert tensors[name].dtype == value.dtype
        assert torch.equal(tensors[name], value)
    assert facts == {"format": 1, "kind": "test", "sums": {"loss": 0.1 + 0.2}, "from": "a"}
    assert checkpoint.packed_facts(packed) == facts
    assert [path.name for path in packed.parent.iterdir()] == ["state.safetensors"]


def test_the_same_is_packed_into_the_same_bytes(packed: Path) -> None:
    before = packed.read_bytes()
    checkpoint.pack(packed, TENSORS, {"kind": "test", "sums": {"loss": 0.1 + 0.2}, "from": Path("a")})
    assert packed.read_bytes() == before


def test_a_disk_that_fills_up_while_packing_leaves_the_old_file_whole_and_says_so(
    packed: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoint.os, "fsync", full)
    with pytest.raises(CheckpointError, match=r"cannot write .*state\.safetensors: No space left on device"):
        checkpoint.pack(packed, {"only": torch.ones(1)}, {"kind": "second"})
    assert checkpoint.unpack(packed)[1]["kind"] == "test"


def test_a_folder_that_is_a_file_cannot_be_packed_into(tmp_path: Path) -> None:
    (tmp_path / "taken").touch()
    with pytest.raises(CheckpointError, match="cannot write"):
        checkpoint.pack(tmp_path / "taken" / "state.safetensors", TENSORS, {})


def test_a_place_that_cannot_be_written_to_is_told_with_the_flag_that_names_another(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(InputError, match=r"cannot write .*file.below: .*; choose another place with --json$"):
        checkpoint.put_at(tmp_path / "file" / "below", b"", "--json")


@pytest.mark.parametrize("cut", [0, 5, 60, -1])
def test_a_packed_file_that_is_missing_or_cut_short_is_refused(packed: Path, cut: int) -> None:
    packed.write_bytes(packed.read_bytes()[:cut])
    for read in (checkpoint.unpack, checkpoint.packed_facts):
        with pytest.raises(CheckpointError, match=r"cannot read .*state\.safetensors"):
            read(packed)
    packed.unlink()
    for read in (checkpoint.unpack, checkpoint.packed_facts):
        with pytest.raises(CheckpointError, match=r"cannot read .*state\.safetensors"):
            read(packed)


@pytest.mark.parametrize(
    "metadata", [None, {"format": "pt"}, {"facts": "{"}, {"facts": "[1]"}, {"facts": '{"format": 2}'}]
)
def test_a_file_that_packing_did_not_write_is_refused(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    from safetensors.torch import save_file

    save_file({"weight": torch.ones(1)}, tmp_path / "a.safetensors", metadata)
    for read in (checkpoint.unpack, checkpoint.packed_facts):
        with pytest.raises(CheckpointError, match=r"a\.safetensors is not a file of format 1 that holds its own facts"):
            read(tmp_path / "a.safetensors")


def test_facts_are_changed_and_the_tensors_stay(tmp_path: Path) -> None:
    checkpoint.save(tmp_path / "x.safetensors", {"a": torch.ones(2)}, {"kind": "thing", "figure": 1})
    before = (tmp_path / "x.safetensors").read_bytes()
    checkpoint.restate(tmp_path / "x.safetensors", figure=2, more=[1])
    tensors, facts = checkpoint.load(tmp_path / "x.safetensors")
    assert (facts["kind"], facts["figure"], facts["more"]) == ("thing", 2, [1])
    assert torch.equal(tensors["a"], torch.ones(2))
    assert (tmp_path / "x.safetensors").read_bytes() == before
