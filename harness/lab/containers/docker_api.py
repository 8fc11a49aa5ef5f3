"""Calls to the Docker daemon: each has a time limit, and every failure is raised as one kind of error.

A daemon that leaves a call unanswered is given up for the rest of the run: further calls fail at once, so
that a thousand cases do not each wait for it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator

import docker.errors
import requests.exceptions
from testcontainers.core.docker_client import DockerClient

from harness.errors import LabError

ANSWER_SECONDS = 60
"""How long a call may take: with two cores and a dozen containers starting at once, some take 20 s."""
PING_SECONDS = 10
_ATTEMPT = "check the daemon's log and restart it; the next run removes what this run leaves behind"
NO_ANSWER = (requests.exceptions.ConnectionError, requests.exceptions.Timeout)


def client(seconds: float | None = None) -> DockerClient:
    """A client no call of which waits longer than *seconds* (default ANSWER_SECONDS).  Raises DockerException."""
    return DockerClient(timeout=ANSWER_SECONDS if seconds is None else seconds)


def answers() -> str:
    """'' if the daemon answers a ping, else why not."""
    try:
        asked = client(PING_SECONDS)
        try:
            asked.client.ping()
        finally:
            asked.client.close()
    except (docker.errors.DockerException, OSError) as error:
        return str(error)[:200]
    return ""


class Docker:
    """The daemon, as one lab sees it; *on_loss* is called when it is given up.  Safe for several threads."""

    def __init__(self, on_loss: Callable[[], None] = lambda: None) -> None:
        self._on_loss = on_loss
        self._deciding = threading.Lock()
        self.lost = ""
        """Why it was given up; '' while it answers."""

    @contextlib.contextmanager
    def asked(self, what: str, where: str = "") -> Iterator[None]:
        """Around calls that, failing, mean *what* ("the network x cannot be made").  Raises LabError."""
        if self.lost:
            raise LabError(self.lost, where=where, hint=_ATTEMPT)
        try:
            yield
        except docker.errors.APIError as error:
            raise LabError(f"{what}: {error.explanation or error}", where=where) from error
        except (docker.errors.DockerException, *NO_ANSWER) as error:
            raise self._given_up(what, where, error) from error
        except OSError as error:
            raise LabError(f"{what}: {error}", where=where) from error

    def _given_up(self, what: str, where: str, error: Exception) -> LabError:
        with self._deciding:
            first = not self.lost
            if first:
                why = answers()
                still = (
                    f"it no longer answers: {why}"
                    if why
                    else (f"this was not answered within {ANSWER_SECONDS} s: {error}")
                )
                self.lost = f"the Docker daemon failed in the middle of the run ({what}; {still})"
        if first:
            self._on_loss()
        return LabError(self.lost, where=where, hint=_ATTEMPT)
