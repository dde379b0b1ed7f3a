from __future__ import annotations

import sys

import pytest

from mimica.errors import MissingExtra
from mimica.generation.reinforce.adapter import Adapter
from tiny_policy import Tiny


def test_without_peft_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingExtra, match=r"mimica\[generate\]"):
        Adapter(Tiny().network, Tiny.lora_targets, rank=2, alpha=2)
