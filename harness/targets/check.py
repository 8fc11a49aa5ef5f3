"""Everything that can be wrong with a target file whose form is right: rules, files, credentials, sources."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path as FilePath

from harness.decode import not_pem
from harness.errors import UsageError
from harness.model.catalogue import Flow
from harness.stimuli.contexts import trusting
from harness.targets import rules
from harness.targets.credentials import by_name, open_clients
from harness.targets.file import Client, Endpoint, TargetFile
from harness.targets.places import PrivateKey, Secret
from harness.targets.sts import TokenService, unreadable
from harness.targets.token_client import own_token_of
from harness.targets.token_issuer import check_sources
from harness.targets.token_sources import check_source

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
    if file.sts is not None:
        yield from _token_service(file, file.sts)


def _token_service(file: TargetFile, sts: TokenService) -> Iterator[Check]:
    """Its CA, its client's credentials, and where the token comes from that it exchanges."""
    yield partial(holds_certificate, "sts.ca", sts.ca)
    for error in unreadable(sts):
        yield partial(_raise, error)
    yield partial(check_source, own_token_of(file, sts))


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
    holds_certificate(f"servers.{endpoint.name}.ca", endpoint.ca)


def holds_certificate(spot: str, file: FilePath) -> None:
    """Raises :class:`UsageError` where *file*, named at *spot*, holds no certificate."""
    try:
        trusting(file)
    except OSError as error:
        raise unusable(spot, file, error) from error


def unusable(spot: str, file: FilePath, error: OSError) -> UsageError:
    """Why *file*, named at *spot*, cannot be used as a CA, and how to convert it if it is not PEM."""
    if error.strerror and not isinstance(error, ssl.SSLError):
        return UsageError(f"{spot}: {error.strerror}", where=str(file))
    hint = not_pem.hint(file.read_bytes(), certificate=True)
    return UsageError(f"{spot}: no certificate in PEM", where=str(file), hint=hint)
