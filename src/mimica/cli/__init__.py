"""The command line: one thin file a verb, and nothing that Python cannot call."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Annotated, Any, Union

DONE, FAILED, USAGE = 0, 1, 2
"""Exit codes: all went well; something failed; the command was not understood."""


TRACEBACK = "MIMICA_TRACEBACK"
"""The environment variable that has an error that nobody framed shown as Python shows it."""


def commands() -> Any:
    """Every verb, as one type whose values the command line makes."""
    from tyro.conf import subcommand

    from mimica.cli.ablate import Ablate
    from mimica.cli.agree import Agree
    from mimica.cli.anomaly import Anomaly
    from mimica.cli.assets import Assets
    from mimica.cli.augment import Augment
    from mimica.cli.cache import Cache
    from mimica.cli.calibrate import Calibrate
    from mimica.cli.data import Data
    from mimica.cli.doctor import Doctor
    from mimica.cli.evaluate import Evaluate
    from mimica.cli.explain import Explain
    from mimica.cli.models import Models
    from mimica.cli.predict import Predict
    from mimica.cli.pretrain import Pretrain
    from mimica.cli.train import Train
    from mimica.cli.units import Units
    from mimica.cli.zero_shot import ZeroShot

    verbs = (
        Predict, Units, Agree, Evaluate, ZeroShot, Explain, Models, Assets, Data,
        Augment, Pretrain, Cache, Train, Calibrate, Ablate, Anomaly, Doctor,
    )  # fmt: skip
    named = tuple(Annotated[verb, subcommand(_said(verb.__name__))] for verb in verbs)
    return Union[named]  # noqa: UP007 - the members are only known here


def parse(arguments: Sequence[str]) -> Any:
    """What the arguments ask for, ready to `run`. Raises SystemExit where they are not understood or ask for help."""
    import tyro

    if arguments[:1] == ["augment"] and arguments[1:2] and arguments[1].startswith("--") and arguments[1] != "--help":
        arguments = ["augment", "loop", *arguments[1:]]  # the whole of it, as it is most often asked for
    return tyro.cli(
        commands(),
        prog="mimica",
        description="Reads apparent facial expression in video. What it shows is not what someone feels.",
        args=list(arguments),
        config=(tyro.conf.OmitArgPrefixes, tyro.conf.OmitSubcommandPrefixes),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Run `mimica` with these arguments (those of the process by default); gives the exit code."""
    from mimica.errors import MimicaError, UsageError, defect

    given = list(sys.argv[1:] if arguments is None else arguments)
    if given == ["--version"]:
        from mimica import __version__

        print(f"mimica {__version__}")
        return DONE
    try:
        return int(parse(given).run())
    except UsageError as error:
        _say(error)
        return USAGE
    except MimicaError as error:
        _say(error)
        return FAILED
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has what they wanted; nothing is wrong.
        sys.stderr.close()
        return DONE
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else USAGE
    except Exception as error:
        if os.environ.get(TRACEBACK):
            raise
        print(f"mimica: stopped by {defect(error)}; {TRACEBACK}=1 shows the whole of it", file=sys.stderr)
        return FAILED


def _said(verb: str) -> str:
    """`ZeroShot` as it is typed, `zero-shot`."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in verb).lstrip("-")


def _say(error: Exception) -> None:
    print(f"mimica: {error}", file=sys.stderr)
