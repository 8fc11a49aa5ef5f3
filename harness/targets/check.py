"""Everything that can be wrong with a target file whose form is right: rules, files, credentials, sources."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial

from harness.errors import UsageError
from harness.model.catalogue import Flow
from harness.stimuli.contexts import trusting
from harness.targets import rules
from harness.targets.credentials import by_name, open_clients
from harness.targets.file import Client, Endpoint, PrivateKey, Secret, TargetFile
from harness.targets.token_issuer import check_sources

Check = Callable[[], object]


def mistakes(file: TargetFile, flows: Mapping[str, Flow], features: Collection[str]) -> list[UsageError]:
    """What is wrong with *file*; *flows* and *features* are those of the catalogue."""
    found = list(rules.mistakes(file, flows))
    found += _collected(_checks(file))
    found += [
        UsageError(f"features: unknown feature {name!r}", where=str(file.file), hint="see hopproof list features")
        for name in sorted({*file.claimed, *file.not_claimed} - set(features))
    ]
    return found


def _collected(checks: Iterable[Check]) -> Iterator[UsageError]:
    for check in checks:
        try:
            check()
        except UsageError as error:
            yield error


def _checks(file: TargetFile) -> Iterator[Check]:
    endpoints = list(file.endpoints.values())
    for endpoint in endpoints:
        yield partial(trusted, endpoint)
    unread = [error for item in endpoints for error in _collected(_readable(item.client))]
    for error in unread:
        yield partial(_raise, error)
    if not unread:
        for endpoint in endpoints:
            yield partial(open_clients, [endpoint])
        yield lambda: by_name(open_clients(endpoints))
    yield partial(check_sources, file)


def _readable(client: Client | None) -> Iterator[Check]:
    """Whether there is anything where each of the client's secrets should be."""
    for name, value in vars(client).items() if client else ():
        secret = value.secret if isinstance(value, PrivateKey) else value
        if isinstance(secret, Secret):
            yield partial(secret.read, f"client.{name}")


def _raise(error: UsageError) -> None:
    raise error


def trusted(endpoint: Endpoint) -> None:
    """Raises :class:`UsageError` where the endpoint's CA file holds no certificate."""
    try:
        trusting(endpoint.ca)
    except OSError as error:
        message = error.strerror if error.strerror and not isinstance(error, ssl.SSLError) else "no certificate in PEM"
        raise UsageError(f"servers.{endpoint.name}.ca: {message}", where=str(endpoint.ca)) from error
