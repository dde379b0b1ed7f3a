from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from mimica.encoders.cache import ABOUT, Cache
from mimica.errors import CheckpointError, UsageError

KEY: dict[str, Any] = {
    "encoder": "a" * 64, "size": 48, "augmentation": {"flip": 0.5, "crop": (0.8, 1.0)}, "seed": 0,
    "frames of a view": 3, "precision": "fp16", "views": 0,
}  # fmt: skip
MEND = "do so"


def row(frames: int, seed: int = 0) -> dict[str, Tensor]:
    random = torch.Generator().manual_seed(seed)
    return {"faces": torch.rand(frames, 5, generator=random), "early": torch.rand(frames, 2, 3, generator=random)}


def begun(path: Path, **changes: object) -> Cache:
    return Cache.begun(path, {**KEY, **changes}, {"mimica": "1"})


def filled(path: Path, **changes: object) -> Cache:
    cache = begun(path, **changes)
    cache.add(None, [("one", "d1"), ("two", "d2")], [row(3), row(1, 1)])
    cache.add(None, [("three", "d3")], [row(2, 2)])
    return cache


def test_what_was_put_in_comes_out_by_clip_and_view(tmp_path: Path) -> None:
    filled(tmp_path / "cache", precision="fp32", views=1).add(0, [("one", "d1")], [row(3, 9)])
    cache = Cache.opened(tmp_path / "cache")
    for view, digest, expected in ((None, "d1", row(3)), (None, "d2", row(1, 1)), (None, "d3", row(2, 2)),
                                   (0, "d1", row(3, 9))):  # fmt: skip
        found = cache.row(view, digest)
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert cache.holds(None, "d3")
    assert not cache.holds(0, "d3")
    assert not cache.holds(None, "d4")


def test_half_precision_is_kept_as_such_and_takes_half_the_room(tmp_path: Path) -> None:
    sizes = {}
    for precision in ("fp16", "fp32"):
        cache = begun(tmp_path / precision, precision=precision)
        cache.add(None, [("one", "d1")], [{"faces": torch.rand(64, 64)}])
        assert cache.row(None, "d1")["faces"].dtype == {"fp16": torch.float16, "fp32": torch.float32}[precision]
        sizes[precision] = sum(file.stat().st_size for file in cache.path.glob("*.safetensors"))
    assert sizes["fp32"] - sizes["fp16"] == 64 * 64 * 2


def test_a_value_beyond_half_precision_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    cache = begun(tmp_path / "cache")
    with pytest.raises(UsageError, match="some faces are too large for fp16; make the cache with --precision fp32"):
        cache.add(None, [("one", "d1")], [{"faces": torch.tensor([[1.0, 7e4]])}])
    assert [file.name for file in cache.path.iterdir()] == [ABOUT]
    begun(tmp_path / "whole", precision="fp32").add(None, [("one", "d1")], [{"faces": torch.tensor([[7e4]])}])


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"encoder": "b" * 64}, r"another encoder \(encoder: a{20}…, not b{20}…\); do so"),
        ({"size": 224}, r"another size \(size: 48, not 224\); do so"),
        ({"size": 224, "precision": "fp32"}, r"another size, precision \(size: 48, not 224; precision: fp16, not fp32"),
    ],
)
def test_a_cache_of_something_else_is_refused_by_the_parts_that_differ(
    tmp_path: Path, changes: dict[str, Any], said: str
) -> None:
    cache = filled(tmp_path / "cache")
    cache.refuse_other(KEY, mend=MEND)
    with pytest.raises(CheckpointError, match=said):
        cache.refuse_other({**KEY, **changes}, mend=MEND)
    with pytest.raises(CheckpointError, match="give the same again to go on with it, or choose another --out"):
        begun(tmp_path / "cache", **changes)


def test_what_only_views_depend_on_counts_where_there_are_views(tmp_path: Path) -> None:
    other = {"augmentation": {"flip": 0.0, "crop": (0.8, 1.0)}, "seed": 1}
    plain, views = filled(tmp_path / "plain"), filled(tmp_path / "views", views=2)
    plain.refuse_other({**KEY, **other, "views": 2}, mend=MEND)
    with pytest.raises(CheckpointError, match=r"\(augmentation: flip 0.5, not 0.0; seed: 0, not 1\)"):
        views.refuse_other({**KEY, **other, "views": 2}, mend=MEND)
    views.refuse_other({**KEY, **other, "views": 2}, mend=MEND, leave=("augmentation", "seed"))


def test_a_cache_may_be_asked_for_more_views_and_keeps_what_it_has(tmp_path: Path) -> None:
    filled(tmp_path / "cache")
    assert begun(tmp_path / "cache", views=2, seed=5).holds(None, "d2")
    assert Cache.opened(tmp_path / "cache").views == 2
    assert begun(tmp_path / "cache", views=1, seed=5).views == 2
    with pytest.raises(CheckpointError, match="another seed"):
        begun(tmp_path / "cache", views=3, seed=6)


def test_a_shard_that_is_cut_short_or_of_another_cache_is_named(tmp_path: Path) -> None:
    cache, other = filled(tmp_path / "cache"), filled(tmp_path / "other", size=224)
    first, *_ = shards = sorted(cache.path.glob("*.safetensors"))
    whole = first.read_bytes()
    for broken in (whole[:-1], whole[:4], b""):
        first.write_bytes(broken)
        with pytest.raises(CheckpointError, match=f"{first.name} is damaged; delete it, and mimica cache makes anew"):
            Cache.opened(cache.path)
    first.write_bytes(next(iter(other.path.glob("*.safetensors"))).read_bytes())
    with pytest.raises(CheckpointError, match=f"{first.name} is not of this cache; take it out of"):
        Cache.opened(cache.path)
    assert len(shards) == 2


def test_a_half_written_shard_is_not_taken_for_one(tmp_path: Path) -> None:
    cache = filled(tmp_path / "cache")
    (cache.path / "plain-0.safetensors.part").write_bytes(b"half")
    assert Cache.opened(cache.path).holds(None, "d3")


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"kind": "clips"}', json.dumps({"kind": "cache", "format": 9})])
def test_a_folder_that_is_no_cache_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(CheckpointError, match="is no cache that can be read; mimica cache makes one"):
        Cache.opened(tmp_path / "nowhere")
    (tmp_path / ABOUT).write_text(content)
    with pytest.raises(CheckpointError, match="is no cache that can be read"):
        Cache.opened(tmp_path)


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("all of it")
    with pytest.raises(UsageError, match="holds something else than a cache; choose another --out"):
        begun(tmp_path)


def test_features_are_mapped_and_not_read_into_memory(tmp_path: Path) -> None:
    cache = begun(tmp_path / "cache", precision="fp32")
    cache.add(None, [("one", "d1")], [{"faces": torch.zeros(4_000_000, 4)}])
    cache = Cache.opened(tmp_path / "cache")
    status = Path("/proc/self/status")
    if not status.exists():
        pytest.skip("this system does not say how much memory is anonymous")

    def held() -> int:
        [line] = [line for line in status.read_text().splitlines() if line.startswith("RssAnon:")]
        return int(line.split()[1]) * 1024

    before = held()
    faces = cache.row(None, "d1")["faces"]
    assert float(faces[2_000_000:2_000_100].sum()) == 0
    assert held() - before < faces.nbytes / 4
