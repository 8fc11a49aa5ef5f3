"""An inspection session: a server, what the inspector has to know of it, and the inspector's processes.

The inspector knows neither catalogue files nor keys that sign: it gets a session file made here.
"""

from harness.inspection.session import expected
from harness.inspection.verb import inspect
from harness.inspection.wanted import Wanted

__all__ = ["Wanted", "expected", "inspect"]
