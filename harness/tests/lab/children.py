"""Child processes that speak the worker protocol well or badly, as ``HOPPROOF_TEST_CHILD`` says."""

from __future__ import annotations

import json
import os
import sys
import threading
from typing import Any


def say(message: Any) -> None:
    """Write one line."""
    sys.stdout.write((message if isinstance(message, str) else json.dumps(message)) + "\n")
    sys.stdout.flush()


def obey(command: dict[str, Any]) -> None:
    """Answer, fail, push an event, talk nonsense, be silent or die."""
    op, number = command["op"], command["id"]
    if op == "die":
        sys.stderr.write("cannot go on\n")
        sys.stderr.flush()
        os._exit(7)
    if op == "say":
        say(command["line"])
    if op == "fail":
        why = {"error": command["error"]} if "error" in command else {}
        say({"kind": "reply", "id": number, "ok": False, **why})
    elif op != "be silent":
        say({"kind": "reply", "id": number, "ok": True, "result": command})


def main(how: str) -> None:
    """Live as *how* says."""
    if how == "stillborn":
        sys.exit("no luck at all")
    if how != "mute":
        say({"kind": "ready"})
    for line in sys.stdin:
        obey(json.loads(line))
    if how == "deaf":
        threading.Event().wait()


if __name__ == "__main__":
    main(os.environ["HOPPROOF_TEST_CHILD"])
