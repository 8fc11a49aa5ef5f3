"""An inspection session: a server, what the inspector has to know of it, and the inspector's processes.

The inspector knows neither catalogue files nor keys that sign: it gets a session file made here.
"""

from harness.commands.inspect.options import InspectOptions
from harness.commands.inspect.session import expected
from harness.commands.inspect.verb import add, inspect

__all__ = ["InspectOptions", "add", "expected", "inspect"]
