"""Checks whether a target can be judged (reachable, TLS, a good request passes), and whether it accepts all clients."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from harness.errors import CannotJudge, DemandsCertificate, EffectUnseen
from harness.lab.protocol import host_header
from harness.model.case import GOOD, Stimulus
from harness.model.catalogue import Flow
from harness.model.exchange import ClientView
from harness.model.vocabulary import CertificateEncoding, Posture
from harness.probes.certificate_header import handed_on
from harness.probes.intrusiveness import is_safe
from harness.probes.live import Bench
from harness.stimuli.key_server import KeyServer
from harness.stimuli.partial import PartialPki, PartialStimuli, StimulusUnavailable
from harness.stimuli.partial.stimuli import REISSUED
from harness.targets import obstacles
from harness.targets.external import ExternalLab, address_of
from harness.targets.file import Endpoint, TargetFile
from harness.targets.gateways import needs_certificate, open_by_design
from harness.wire.handshake import Handshake, look
from harness.wire.send import Address, chosen_protocol

_SKEW_SECONDS = 30.0
_WITHOUT_CERTIFICATE = frozenset({Posture.JWT, Posture.TLS_ONLY})
# A lookup that is answered so says nothing of what was looked up.
_NO_ANSWER = frozenset({401, 403, 407, 408, 429})
_NOTHING = Stimulus("tls-no-cert", "str-no-token")
_STRANGER = Stimulus("ta-unknown-ca", "sig-wrong-key")


class Preflight:
    """Raises :class:`CannotJudge` (exit status 3) for a target about which no verdict would mean anything.

    ``keys_asked`` says whether keys have been fetched from our JWKS server, where there is one; ``shown`` shakes
    hands and says what the server did.
    """

    def __init__(
        self,
        bench: Bench,
        stimuli: PartialStimuli,
        file: TargetFile,
        pki: PartialPki,
        keys_asked: Callable[[], bool] | None = None,
        shown: Callable[[Address], Handshake] = look,
        chosen: Callable[[Address, ssl.SSLContext], str] = chosen_protocol,
    ) -> None:
        self._bench, self._stimuli, self._file, self._pki = bench, stimuli, file, pki
        self._keys_asked, self._shake, self._chosen = keys_asked, shown, chosen
        self._known: dict[Address, Handshake] = {}

    def run(self, flows: Iterable[Flow]) -> None:
        """Look at every endpoint, once for each flow that ends there."""
        for flow in flows:
            if self._file.read_only and not is_safe(flow.method):
                continue
            endpoint = self._file.endpoints[flow.server.name]
            flow = handed_on(flow, endpoint.path)
            good = self._try(endpoint, flow, Stimulus())
            if good is not None:
                self._served(endpoint, flow, good, obstacles.now())
                self._also_http2(endpoint, flow)
                self._distinguished(endpoint, flow, good)
                self._reissued(endpoint, flow)
                self._look(endpoint, flow)
            else:
                self._answers(endpoint, flow)

    def good(self, flow: Flow) -> ClientView | None:
        """The result of *flow*'s good request; None where it cannot be made, or would write where nothing may."""
        if self._file.read_only and not is_safe(flow.method):
            return None
        endpoint = self._file.endpoints[flow.server.name]
        return self._try(endpoint, handed_on(flow, endpoint.path), Stimulus())

    def _shown(self, endpoint: Endpoint) -> Handshake:
        """What the server does in a handshake; looked at once."""
        address = address_of(endpoint)
        if address not in self._known:
            self._known[address] = self._shake(address)
        return self._known[address]

    def _try(self, endpoint: Endpoint, flow: Flow, stimulus: Stimulus) -> ClientView | None:
        """The result of one request; None where it cannot be made from the credentials at hand."""
        nonce = self._bench.nonce("preflight", flow.name, stimulus.id)
        host = host_header(endpoint.host, endpoint.port)
        try:
            context = self._context(endpoint, flow, stimulus.certificate)
            request = self._stimuli.request(flow, stimulus, host, nonce)
        except StimulusUnavailable:
            return None
        return self._bench.send(address_of(endpoint), request, context)

    def _context(self, endpoint: Endpoint, flow: Flow, certificate: str) -> ssl.SSLContext:
        try:
            return self._stimuli.context(endpoint.ca, flow.client_secret, certificate)
        except (OSError, ValueError) as error:
            raise CannotJudge(f"the CA file cannot be used: {error}", where=str(endpoint.ca)) from error

    def _answers(self, endpoint: Endpoint, flow: Flow) -> None:
        """Without a good credential: that a TLS server with the right certificate answers."""
        observed = self._try(endpoint, flow, _NOTHING)
        if observed is not None:
            self._reached(endpoint, flow, observed)
            self._without_certificate(endpoint, flow, observed, good_token=False)
            self._distinguished(endpoint, flow, None)

    def _reached(self, endpoint: Endpoint, flow: Flow, seen: ClientView) -> None:
        where = f"servers.{endpoint.name}"
        if seen.fault and seen.local_port is None:
            raise CannotJudge(seen.fault, where=where, hint="check url and connect in the target file, and the network")
        if seen.server_refused:
            raise _in_the_way(endpoint, obstacles.untrusted(endpoint, flow.server.default, seen, self._shown(endpoint)))
        if seen.response is None and self._speaks_http2_only(endpoint, flow):
            raise CannotJudge(
                "speaks HTTP/2 only, and Hopproof sends HTTP/1.1, because the exact bytes are part of the test",
                where=where,
                hint="make the server offer http/1.1 beside h2 (ALPN) during the run",
            )
        if seen.fault or seen.timed_out:
            raise CannotJudge(seen.fault or "no answer", where=where, hint="is this a TLS port?")

    def _speaks(self, endpoint: Endpoint, flow: Flow, protocol: str) -> bool:
        """Whether the server chooses *protocol* (ALPN) where it is offered nothing else."""
        try:
            context = self._stimuli.offering(protocol, endpoint.ca, flow.client_secret)
        except StimulusUnavailable:
            context = self._stimuli.offering(protocol, endpoint.ca, "")
        return self._chosen(address_of(endpoint), context) == protocol

    def _speaks_http2_only(self, endpoint: Endpoint, flow: Flow) -> bool:
        # A server may choose h2 of both and turn us away for another reason; only one that speaks nothing else counts.
        return self._speaks(endpoint, flow, "h2") and not self._speaks(endpoint, flow, "http/1.1")

    def _also_http2(self, endpoint: Endpoint, flow: Flow) -> None:
        if self._speaks(endpoint, flow, "h2"):
            self._bench.notes.append(
                f"servers.{endpoint.name} also speaks HTTP/2, which is not judged: whether it requires the same "
                "credentials there is not shown"
            )

    def _served(self, endpoint: Endpoint, flow: Flow, good: ClientView, at: float) -> None:
        """The good request is, and the certificate that it may carry is not what it is for in a posture without one."""
        self._reached(endpoint, flow, good)
        self._without_certificate(endpoint, flow, good, good_token=True)
        if not self._bench.served(good, flow):
            raise _in_the_way(endpoint, self._why(endpoint, flow, good, at))
        skew = obstacles.clock(good, at)
        if skew is not None and abs(skew) > _SKEW_SECONDS:
            raise CannotJudge(
                f"its clock is {skew:+.0f} s off, so no token or certificate lifetime could be judged",
                where=f"servers.{endpoint.name}",
                hint="synchronise the clocks",
            )

    def _without_certificate(self, endpoint: Endpoint, flow: Flow, seen: ClientView, *, good_token: bool) -> None:
        """Where tokens alone are meant to count, a certificate must not be what decides."""
        posture = flow.server.default
        if posture not in _WITHOUT_CERTIFICATE or needs_certificate(endpoint) or not self._shown(endpoint).asked:
            return
        bare: ClientView | None = seen
        if good_token and self._pki.clients[flow.client_secret].identity is not None:
            bare = self._try(endpoint, flow, Stimulus("tls-no-cert"))
        if obstacle := obstacles.still_required(posture, bare, self._shown(endpoint), good_token):
            where = f"servers.{endpoint.name}"
            raise DemandsCertificate(flow.name, obstacle.what, where=where, hint=obstacle.hint)
        self._bench.notes.append(
            f"servers.{endpoint.name} requests a client certificate but does not require one: how it treats "
            f"certificates is not judged in posture {posture}"
        )

    def _why(self, endpoint: Endpoint, flow: Flow, good: ClientView, at: float) -> obstacles.Obstacle:
        """The likeliest reason why the good request is not served."""
        if good.response and good.response.status == flow.success:
            return obstacles.MARKED
        if encoding := self._encoding(endpoint, flow):
            return obstacles.encoded_otherwise(flow.server, encoding)
        posture, identity = flow.server.default, self._pki.clients[flow.client_secret].identity
        refused = obstacles.Refused(
            endpoint=endpoint,
            posture=posture,
            sent=obstacles.sent(flow, posture, identity.certificate if identity else None),
            success=flow.success,
            seen=good,
            at=at,
            shown=self._shown(endpoint),
            bare=self._try(endpoint, flow, Stimulus(token="str-no-token")),  # noqa: S106 - a class
            keys_asked=self._keys_asked() if self._keys_asked else None,
        )
        return next(refused.causes())

    def _encoding(self, endpoint: Endpoint, flow: Flow) -> CertificateEncoding | None:
        """The encoding of the certificate header in which a good request is served that was refused as stated."""
        stated = flow.server.certificate_encoding
        for encoding in CertificateEncoding if flow.server.certificate_header else ():
            other = replace(flow, server=replace(flow.server, certificate_encoding=encoding))
            answer = self._try(endpoint, other, Stimulus()) if encoding is not stated else None
            if answer is not None and self._bench.served(answer, flow):
                return encoding
        return None

    def _distinguished(self, endpoint: Endpoint, flow: Flow, good: ClientView | None) -> None:
        """Find an endpoint that serves clients without credentials: no other row shows anything there.

        An endpoint that is meant to be open (a gateway's documented default) is skipped, and so is one whose declared
        success is a redirect: it does not distinguish clients, but serves none of them, and the rows say so.
        """
        if flow.server.default is Posture.TLS_ONLY or open_by_design(flow) or not 200 <= flow.success < 300:
            return
        others = [self._try(endpoint, flow, stimulus) for stimulus in (_NOTHING, _STRANGER)]
        if all(self._bench.served(item, flow) for item in others) and (good is None or self._bench.served(good, flow)):
            who = (
                "a good client, one without any credential and one with an untrusted credential"
                if good
                else "a client without credentials and one with an untrusted credential"
            )
            same = f"{endpoint.host} answers {flow.success} to {who} alike"
            self._bench.everybody[flow.name] = same + _refusal_in_words(good, others)

    def _reissued(self, endpoint: Endpoint, flow: Flow) -> None:
        """What our copy of the CA signs must be served, or the refusal of what it signs badly proves nothing.

        A gateway knows certificates themselves, and no CA: it has to refuse the copy, which is a case.
        """
        client = self._pki.clients[flow.client_secret]
        if client.identity is None or not client.required or flow.modes:
            return
        copy = self._try(endpoint, flow, Stimulus(certificate=REISSUED))
        if copy is not None and not self._bench.served(copy, flow):
            why = "a fresh copy of the client's certificate, signed with client.ca_key, is not served either"
            self._pki.seal(flow.client_secret, why)

    def _look(self, endpoint: Endpoint, flow: Flow) -> None:
        """Try the lookup of side effects on the good request, and on one that was never sent, before relying on it."""
        if not endpoint.request.effect_path or not isinstance(self._bench.lab, ExternalLab):
            return
        there, path = endpoint.request.effect_success, endpoint.request.effect_path
        hint = (
            "check request.effect in the target file: it must show a request once it has been "
            "answered, and no other request"
        )
        where = f"servers.{endpoint.name}.request.effect"
        message, _ = self._looked_up(endpoint, flow, self._bench.nonce("preflight", flow.name, GOOD))
        if message != there:
            text = f"{path} answers {message or 'nothing'} after the good request, not {there}"
            raise CannotJudge(text, where=where, hint=hint)
        absent, _ = self._looked_up(endpoint, flow, self._bench.nonce("preflight", flow.name, "never sent"))
        if absent == there or absent in _NO_ANSWER or not (absent == 204 or 400 <= absent < 500):
            text = f"{path} answers {absent or 'nothing'} for a request that was never sent: it does not show effects"
            raise CannotJudge(text, where=where, hint=hint)

        def seen(nonce: str) -> bool:
            status, fault = self._looked_up(endpoint, flow, nonce)
            if status not in (there, absent):
                raise EffectUnseen(f"{path} answered {status or fault}")
            return status == there

        self._bench.lab.looks[endpoint.name] = seen

    def _looked_up(self, endpoint: Endpoint, flow: Flow, nonce: str) -> tuple[int, str]:
        """Status of a lookup of what *nonce* did, 0 where there is no answer; and what went wrong then."""
        path = endpoint.request.effect_path.replace("{nonce}", nonce)
        host = host_header(endpoint.host, endpoint.port)
        try:
            context = self._context(endpoint, flow, GOOD)
            # Under a name of its own: a server may count whatever comes with a name as acted upon.
            request = self._stimuli.lookup(flow, path, host, self._bench.nonce("lookup", nonce))
        except StimulusUnavailable as missing:
            return 0, f"nothing: {missing}"
        answer = self._bench.send(address_of(endpoint), request, context)
        return (answer.response.status, "") if answer.response else (0, answer.fault or "nothing")


def _refusal_in_words(good: ClientView | None, others: Sequence[ClientView | None]) -> str:
    """What to try where the status is the good one's and the body is not: some services refuse in the body alone."""
    bodies = [view.response.body if view and view.response else "" for view in (good, *others)]
    if good is None or bodies[0] in bodies[1:]:
        return ""
    return ", but with another body than the good one's (if it refuses that way, describe it under dialect.refusal)"


def _status(seen: ClientView) -> int | None:
    return seen.response.status if seen.response else None


def _in_the_way(endpoint: Endpoint, obstacle: obstacles.Obstacle) -> CannotJudge:
    return CannotJudge(obstacle.what, where=f"servers.{endpoint.name}", hint=obstacle.hint)


def mixed_key_set(preflight: Preflight, flows: Sequence[Flow], keys: KeyServer) -> None:
    """See whether a set with keys of other kinds costs a service the one it needs; from then on it gets that alone."""
    keys.crowded = True
    for flow in flows:
        before = keys.fetched
        observed = preflight.good(flow)
        if observed is not None and keys.fetched > before:
            keys.mixed_key_set[flow.name] = observed
    served = {flow.name: flow.success for flow in flows}
    keys.crowded = all(
        view.response is not None and view.response.status == served[name] for name, view in keys.mixed_key_set.items()
    )


def look_at(preflight: Preflight, flows: Iterable[Flow], keys: KeyServer | None) -> None:
    """Look at the endpoints of *flows*, with the keys that *keys* publishes; raises :class:`CannotJudge`."""
    flows = list(flows)
    if keys is not None:
        mixed_key_set(preflight, flows, keys)
    try:
        preflight.run(flows)
    except CannotJudge as error:
        if keys is None or (keys.asked and keys.crowded) or "JWKS" in error.what:
            raise
        message = (
            f"{error.what}; it was given the key alone after it had fetched a set that also had keys of other types"
            if keys.asked
            else f"{error.what}; nothing fetched keys from Hopproof's JWKS server (port {keys.port})"
        )
        raise CannotJudge(message, where=error.where, hint=error.hint) from error
