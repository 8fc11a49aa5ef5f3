"""How a verb is put on the command line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import TYPE_CHECKING

Arguments = argparse.Namespace
if TYPE_CHECKING:
    Verbs = argparse._SubParsersAction[argparse.ArgumentParser]
else:
    Verbs = argparse.Action


def verb(verbs: Verbs, name: str, function: Callable[[Arguments], int], text: str) -> argparse.ArgumentParser:
    """The parser of the verb *name*, for which *function* returns the exit status; *text* says what it does."""
    parser = verbs.add_parser(name, help=text, description=text)
    parser.set_defaults(verb=function)
    return parser
