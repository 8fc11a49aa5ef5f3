"""Good tokens that are signed elsewhere: captured once, printed by a command, or given by a token endpoint.

Whatever a source gives is looked at before it is used, and never printed: a page of HTML in a request's header would be
refused, and the refusal blamed on the service.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable, Mapping
from typing import Any

import httpx
import jwt

from harness.errors import CannotJudge, UsageError
from harness.model.words import counted
from harness.stimuli.contexts import trusting
from harness.targets.file import TargetFile

SECONDS = 20.0
"""How long a command or an endpoint may take in all."""
_MOST_BYTES = 1 << 20
# RFC 6750 section 2.1; anything else does not pass a header unharmed.
_BEARER = re.compile(r"[A-Za-z0-9\-._~+/]+=*")


def token_source(target: TargetFile, seconds: float = SECONDS) -> Callable[[], str] | None:
    """What gives a good token each time it is called, or None where *target* names nothing.

    The result raises CannotJudge where no usable token is had within *seconds*; :class:`UsageError` at once for a
    captured one that cannot be used.
    """
    tokens = target.tokens
    if "captured" in tokens:
        captured = _captured(target)
        return lambda: captured
    if "command" in tokens:
        return lambda: _from_command(target, tokens["command"], seconds)
    if "endpoint" in tokens:
        return lambda: _from_endpoint(target, tokens["endpoint"], seconds)
    return None


def check_source(target: TargetFile) -> None:
    """Raises :class:`UsageError` for a source that cannot be used; runs nothing and sends nothing."""
    tokens = target.tokens
    if "captured" in tokens:
        _captured(target)
    if "command" in tokens:
        _program(target, tokens["command"][0])
    if "endpoint" in tokens:
        _form(target, tokens["endpoint"])
        _trust(target, "endpoint")
    if isinstance(tokens.get("keys"), dict):
        _trust(target, "keys")


def _captured(target: TargetFile) -> str:
    text = (
        target.secret(target.tokens["captured"]).read(f"{target.tokens_at}.captured").decode("utf-8", "replace").strip()
    )
    if why := _unusable(text):
        raise UsageError(
            f"{target.tokens_at}.captured {why}", hint="capture a fresh token; the token alone, without Bearer"
        )
    return text


def _unusable(text: str) -> str:
    """Why *text* cannot be a token, '' if it may be one; never quotes it."""
    if not text:
        return "is empty"
    if not _BEARER.fullmatch(text):
        lines, kind = text.count("\n") + 1, "an HTML page" if text.startswith("<") else "not a bearer token"
        return f"is {kind} ({len(text)} characters in {counted(lines, 'line')})"
    try:
        expiry = jwt.decode(text, options={"verify_signature": False}).get("exp")
    except jwt.PyJWTError:
        return ""  # opaque to us; the service will say
    late = time.time() - expiry if isinstance(expiry, int | float) else -1.0
    return f"expired {late:.0f} s ago" if late >= 0 else ""


def _good(text: str, what: str, where: str) -> str:
    if why := _unusable(text):
        raise CannotJudge(f"what {what} gives {why}", where=where, hint="it must output a good token and nothing else")
    return text


def _program(target: TargetFile, name: str) -> str:
    """The program called *name*: in the PATH, or relative to the target file."""
    # Links are not followed: the python of a virtual environment is one, and another program under its own name.
    found = shutil.which(target.file.absolute().parent / name if os.sep in name else name)
    if found is None:
        raise UsageError(f"{target.tokens_at}.command: no such program: {name!r}", where=str(target.file))
    return found


def _from_command(target: TargetFile, command: list[str], seconds: float) -> str:
    try:
        process = subprocess.Popen(  # noqa: S603 - the user's own
            [_program(target, command[0]), *command[1:]],
            cwd=target.file.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError as error:
        raise CannotJudge(f"{target.tokens_at}.command cannot be run: {error.strerror}", where=command[0]) from error
    try:
        output, _ = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise CannotJudge(
            f"{target.tokens_at}.command gave no token within {seconds:.0f} s", where=command[0]
        ) from error
    finally:
        _end(process)
    if process.returncode:
        text = f"{target.tokens_at}.command ended with status {process.returncode}"
        raise CannotJudge(text, where=command[0], hint=f"run it by hand in {target.file.absolute().parent}")
    return _good(output.decode("utf-8", "replace").strip(), f"{target.tokens_at}.command", command[0])


def _end(process: subprocess.Popen[bytes]) -> None:
    """End what the command has started and left running, too."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # it ended with everything it had started
    finally:
        process.wait()
        if process.stdout:
            process.stdout.close()


def _form(target: TargetFile, row: Mapping[str, Any]) -> dict[str, str]:
    # A bare string in a form is meant as it stands (grant_type, scope); only what is secret points elsewhere.
    return {
        name: value
        if isinstance(value, str)
        else target.secret(value).read(f"{target.tokens_at}.endpoint.form.{name}").decode("utf-8", "replace").strip()
        for name, value in row.get("form", {}).items()
    }


def _trust(target: TargetFile, source: str) -> ssl.SSLContext:
    """The CA that *source*, a member of tokens, names; without one those of the system."""
    row = target.tokens[source]
    if "ca" not in row:
        return trusting()
    file = target.place(row["ca"])
    try:
        return trusting(file)
    except OSError as error:
        message = getattr(error, "reason", None) or error.strerror
        raise UsageError(
            f"{target.tokens_at}.{source}.ca holds no usable certificate: {message}", where=str(file)
        ) from error


def _from_endpoint(target: TargetFile, row: Mapping[str, Any], seconds: float) -> str:
    url, field = row["url"], row.get("field", "access_token")
    try:
        status, body = _ask("POST", url, _trust(target, "endpoint"), seconds, _form(target, row))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"the token endpoint does not answer: {type(error).__name__}: {error}"
        raise CannotJudge(
            text, where=url, hint=f"check {target.tokens_at}.endpoint in the target file, and the network"
        ) from error
    if status != 200:  # RFC 6749 section 5.1
        raise CannotJudge(
            f"the token endpoint answers {status}", where=url, hint=f"check {target.tokens_at}.endpoint.form"
        )
    try:
        answer = json.loads(body)
    except ValueError as error:
        raise CannotJudge("the token endpoint answers 200, but not with JSON", where=url) from error
    if not isinstance(answer, dict) or not isinstance(answer.get(field), str):
        raise CannotJudge(f"the token endpoint's response has no string under {field!r}", where=url, hint="set field")
    return _good(answer[field], "the token endpoint", url)


def published_keys(target: TargetFile, seconds: float = SECONDS) -> bytes:
    """What is at the URL that ``tokens.keys`` names; raises CannotJudge where none is had within *seconds*."""
    url = target.tokens["keys"]["url"]
    try:
        status, body = _ask("GET", url, _trust(target, "keys"), seconds)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        text = f"the JWKS URL does not answer: {type(error).__name__}: {error}"
        raise CannotJudge(text, where=url, hint="check tokens.keys, or name a file") from error
    if status != 200:
        raise CannotJudge(f"the JWKS URL answers {status}", where=url, hint="check tokens.keys, or name a file")
    return body


def _ask(
    method: str, url: str, trust: ssl.SSLContext, seconds: float, form: Mapping[str, str] | None = None
) -> tuple[int, bytes]:
    deadline = time.monotonic() + seconds
    body = b""
    with httpx.stream(method, url, data=form, verify=trust, timeout=seconds, trust_env=False) as answer:
        for part in answer.iter_bytes():
            body += part
            # Each part restarts httpx's own clock, so that one byte at a time could take for ever.
            if len(body) > _MOST_BYTES or time.monotonic() > deadline:
                raise httpx.ReadTimeout(f"no complete response of at most {_MOST_BYTES} bytes within {seconds:.0f} s")
    return answer.status_code, body
