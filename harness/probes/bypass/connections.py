"""Other TLS connections to the same server: another version, another name, a session that began elsewhere."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator
from dataclasses import replace

from cryptography import x509

from harness.model.case import GOOD, Stimulus
from harness.probes.bypass.asking import ASIDE, NOBODY, Asking, Try, any_name, served
from harness.stimuli.contexts import trusting
from harness.stimuli.partial import StimulusUnavailable
from harness.wire.send import Address, Prepared, Remembering

_MOST_NAMES = 4
_NO_SUCH_VERSION = "protocol_version"


def _at_most_12(context: ssl.SSLContext) -> ssl.SSLContext:
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


def over_12(asking: Asking) -> Iterator[Try]:
    """The request over TLS 1.2."""
    context = _at_most_12(asking.context(asking.case.stimulus.certificate))
    yield Try("over TLS 1.2", asking.entrypoint.address, asking.request(), context)


def no_12(asking: Asking) -> str:
    """Why a refusal over TLS 1.2 shows nothing: the good client is not served over it either."""
    good = asking.means.send(asking.entrypoint.address, asking.good(), _at_most_12(asking.context(GOOD)))
    if good.response is not None and good.response.status == asking.case.flow.success:
        return ""
    if good.alert == _NO_SUCH_VERSION:
        return ""  # that way is closed, as the alert says
    message = f"answered {good.response.status}" if good.response else good.alert or good.fault or "not answered"
    return (
        ""
        if served(asking, good)
        else f"the server does not offer TLS 1.2: the good client is not served over it ({message})"
    )


def _names(asking: Asking) -> tuple[str, ...]:
    """Names that the same address may have: none, the target file's, the certificate's, two usual ones."""
    own = asking.entrypoint.address.server_name
    inside = _certified(asking)[:_MOST_NAMES]
    names = ("", *asking.entrypoint.also_names, *inside, "localhost", NOBODY)
    return tuple(name for name in dict.fromkeys(names) if name != own)


def _certified(asking: Asking) -> list[str]:
    """The DNS names in the server's certificate."""
    context = _remembering(asking)
    asking.means.send(asking.entrypoint.address, _hello(asking, asking.entrypoint.address.server_name), context)
    try:
        certificate = x509.load_der_x509_certificate(context.leaf)
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return []
    return [name.replace("*", "hopproof") for name in found.value.get_values_for_type(x509.DNSName)]


def _remembering(asking: Asking) -> Remembering:
    """A context without a certificate, for whatever name."""
    context = Remembering(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(asking.entrypoint.ca)
    context.verify_flags = trusting(asking.entrypoint.ca).verify_flags
    any_name(context, verified=asking.case.stimulus.token == GOOD)
    return context


def _hello(asking: Asking, name: str) -> Prepared:
    """A request without any credential, of which only the handshake matters."""
    flow = replace(asking.case.flow, method="GET", path="/", body="")
    bare = Stimulus(token="str-no-token")  # noqa: S106 - a class
    return asking.means.stimuli.request(flow, bare, name or NOBODY, asking.nonce + ASIDE)


def other_names(asking: Asking) -> Iterator[Try]:
    """The request for the protected host on connections that were made for other names."""
    context = asking.under_another_name()
    for name in _names(asking):
        how = f"connected with the SNI {name}" if name else "connected without SNI"
        address = replace(asking.entrypoint.address, server_name=name)

        def aside(how: str = how, address: Address = address, name: str = name) -> Try:
            return Try(f"{how}, for the host {name or NOBODY}", address, asking.stranger(host=name or NOBODY), context)

        yield Try(f"{how}, for the protected host", address, asking.request(), context, aside)


def respelled_names(asking: Asking) -> Iterator[Try]:
    """The request with the host's name in capitals, and with a dot after it, in the request alone and in both."""
    context = asking.under_another_name()
    own, (host, colon, port) = asking.entrypoint.address.server_name, asking.entrypoint.host_header.partition(":")
    if not own or not host.isascii() or host.startswith("[") or host.replace(".", "").isdigit():
        raise StimulusUnavailable("the server is addressed by IP, which has no other spelling")
    for name in (host.upper(), f"{host}."):
        for server_name in (own, name):
            address = replace(asking.entrypoint.address, server_name=server_name)

            def aside(address: Address = address) -> Try:
                return Try(f"for the host {NOBODY}", address, asking.stranger(host=NOBODY), context)

            how = f"for the host {name}, connected as {server_name}"
            yield Try(how, address, asking.request(host=f"{name}{colon}{port}"), context, aside)


def _same_name(asking: Asking, name: str) -> Callable[[], Try]:
    """Makes the request on a new TLS 1.2 connection for *name*.

    Up to TLS 1.2 a session belongs to the name that it began with (RFC 6066 section 3): a resumed connection is one for
    that name, whatever the client asks for then.  In TLS 1.3 the name is that of the new handshake (RFC 8446 4.6.1).
    """
    context = _at_most_12(asking.under_another_name())
    address = replace(asking.entrypoint.address, server_name=name)
    how = f"connected for {name or 'no name'}, without its session"
    return lambda: Try(how, address, asking.stranger(), context)


def resumed(asking: Asking) -> Iterator[Try]:
    """A session of another name, or of the same without a certificate, presented where a certificate is asked for."""
    had = False
    names = (asking.entrypoint.address.server_name, *_names(asking))
    for newest in (True, False):
        for name in names:
            context = _remembering(asking)
            if not newest:
                _at_most_12(context)
            asking.means.send(replace(asking.entrypoint.address, server_name=name), _hello(asking, name), context)
            if context.kept is not None:
                had = True
                how = f"with the TLS {'1.3' if newest else '1.2'} session of {name or 'no name'}"
                aside = None if newest or name == asking.entrypoint.address.server_name else _same_name(asking, name)
                yield Try(how, asking.entrypoint.address, asking.request(), context, aside, judged_elsewhere=True)
    if not had:
        yield Try(
            "no session could be established without a certificate",
            asking.entrypoint.address,
            asking.request(),
            asking.usual(),
        )
