"""The parts of Twisted and zope.interface that carry no annotations, under one roof, so that the rest can be checked.

Each name is used exactly as the library documents it; only its type is unknown.
"""

from __future__ import annotations

import importlib
from typing import Any

from twisted.internet.stdio import StandardIO as _StandardIO
from twisted.protocols.tls import TLSMemoryBIOFactory as _TLSMemoryBIOFactory
from twisted.python.failure import Failure as _Failure
from twisted.python.log import PythonLoggingObserver as _PythonLoggingObserver
from twisted.web.client import Agent as _Agent

_zope: Any = importlib.import_module("zope.interface")

implementer: Any = _zope.implementer
StandardIO: Any = _StandardIO
TLSMemoryBIOFactory: Any = _TLSMemoryBIOFactory
PythonLoggingObserver: Any = _PythonLoggingObserver
Agent: Any = _Agent


def failed(error: BaseException) -> Any:
    """*error* as Twisted passes errors on."""
    make: Any = _Failure
    return make(error)
