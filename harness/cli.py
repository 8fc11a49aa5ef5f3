"""The command ``hopproof``: dispatch only.

To add a verb, write ``harness/commands/NAME.py`` with a function ``add(verbs)`` that calls
:func:`harness.commands.verb.verb`, and put ``"NAME"`` into ``VERBS``; the help lists the verbs in that order.
"""

from __future__ import annotations

import argparse
import os
import select
import signal
import sys
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path

from harness import __version__
from harness.errors import HopproofError

VERBS = (
    "run",
    "list",
    "explain",
    "mutants",
    "serve",
    "report",
    "inspect",
    "target",
    "lint",
    "renew",
    "plan",
    "packets",
    "load",
    "compare",
    "replay",
)
_WHILE_ENDING = 2
_ENDING = (signal.SIGINT, signal.SIGTERM)


def main(argv: Sequence[str] | None = None) -> int:
    """Run a verb; returns the exit status (contract: 0, 1, 2, 3).  Never a traceback for bad input, or for Ctrl-C."""
    interruptions = _Interruptions()
    for number in _ENDING:
        signal.signal(number, interruptions.take)
    try:
        status = _run(argv)
        sys.stdout.flush()
    except HopproofError as error:
        print(f"hopproof: {error}", file=sys.stderr)  # noqa: T201
        status = error.exit_status
    except BrokenPipeError:
        status = _broken_pipe()
    except KeyboardInterrupt:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # all is taken down; the status is still to be told
        print("hopproof: interrupted before there was a result", file=sys.stderr)  # noqa: T201
        status = 3
    if argv is None:
        # The program: its status is known.  A signal that comes while the interpreter ends would kill it without one.
        for number in _ENDING:
            signal.signal(number, signal.SIG_IGN)
    return status


def _broken_pipe() -> int:
    """The status where a pipe has lost its reader: 0 if it is that of our output, to whom nothing more can be said."""
    poll = select.poll()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError):
            poll.register(stream.fileno(), 0)
    if poll.poll(0):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    print("hopproof: a process that it started ended early: there is no result", file=sys.stderr)  # noqa: T201
    return 3


def _run(argv: Sequence[str] | None) -> int:
    # Here, since much is imported for the verbs: Ctrl-C meanwhile is an interruption like any other.
    from cryptography.utils import CryptographyDeprecationWarning

    from harness.config import refuse_former_names

    # Warnings of libraries about a certificate in use are no news to the user.
    warnings.filterwarnings("ignore", "Parsed a (negative serial number|serial number)", CryptographyDeprecationWarning)
    warnings.filterwarnings("ignore", "Attribute's length must be", UserWarning)
    arguments = _parser().parse_args(argv)
    refuse_former_names(Path.cwd(), os.environ)
    verb: Callable[[argparse.Namespace], int] = arguments.verb
    return verb(arguments)


class _Interruptions:
    """Ctrl-C and SIGTERM: the first ends the verb.  A second one comes while it takes down what it has started, and
    would leave processes and keys behind; a third one is obeyed."""

    def __init__(self) -> None:
        self._taken = 0

    def take(self, _signal: int, _frame: object) -> None:
        """A signal has come."""
        self._taken += 1
        if self._taken != _WHILE_ENDING:
            raise KeyboardInterrupt


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="hopproof",
        description="Tests whether every flow between subsystems is protected the way its documentation says.",
        epilog="Exit status: 0 conforms; 1 a MUST is broken; 2 usage or configuration; 3 not shown or not trustworthy.",
    )
    parser.add_argument("--version", action="version", version=f"hopproof {__version__}")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for name in VERBS:
        import_module(f"harness.commands.{name}").add(verbs)
    return parser
