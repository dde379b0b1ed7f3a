from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from mimica.cli import main


@pytest.fixture
def mimica(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Runs a command in an empty folder; gives exit code, standard output and error, which hold no traceback."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> tuple[int, str, str]:
        code = main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        assert "Traceback" not in out + err
        return code, out, err

    return run


@pytest.fixture
def quick(tiny_model: Path) -> list[str]:
    """Flags that read whole pictures with a tiny model."""
    return ["--model", str(tiny_model), "--faces", "none", "--fps", "5", "--window", "4", "--stride", "4"]
