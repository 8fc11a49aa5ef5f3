"""Turns a stimulus into what is sent: a TLS context with the client's certificate, a request with its token.

Contexts are made once and used for every connection (making one costs more than a handshake); the standard client never
resumes a session unless asked to, so each connection proves its certificate again.
"""

from __future__ import annotations

import hashlib
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path as FilePath

from cryptography import x509

from harness import __version__
from harness.errors import LabError
from harness.model.case import GOOD, Stimulus
from harness.model.catalogue import Flow, Server
from harness.pki.deployment import key_id
from harness.pki.issue import Identity
from harness.pki.jwk import Private
from harness.pki.private_files import private_folder
from harness.products.registry import product, reference
from harness.stimuli.attacker_listener import AttackerListener
from harness.stimuli.certificate_header import header_field
from harness.stimuli.certificates import CERTIFICATE_CLASSES, write_identity
from harness.stimuli.contexts import trusting
from harness.stimuli.credentials import Credentials
from harness.stimuli.tokens import LURING, TOKEN_CLASSES, HeldTokenIssuer, Presented, TokenIssuer
from harness.wire.send import Prepared, prepare

NONCE_HEADER = "X-Hopproof-Case"
USER_AGENT = f"hopproof/{__version__}"


@dataclass(frozen=True)
class Sending:
    """One of a stimulus's forms (``form`` '' where it has one) as a request marked with ``nonce``; ``before`` is what
    must be served first, ``unseen`` what is sent ``wait`` seconds later, to compare with."""

    request: Prepared
    nonce: str
    form: str = ""
    before: tuple[Prepared, ...] = ()
    wait: float = 0.0
    unseen: Prepared | None = None


class Stimuli:
    """Makes contexts and requests for one deployment.

    *pki* signs certificates, *token_issuer* signs tokens, *folder* (private) holds the client key files for ``ssl``;
    *issuers* sign the tokens of servers that take their keys elsewhere (``Server.keys_from``).
    Safe for several threads.
    """

    def __init__(
        self,
        pki: Credentials,
        token_issuer: TokenIssuer,
        folder: FilePath,
        issuers: Mapping[str, TokenIssuer] | None = None,
    ) -> None:
        self._pki, self._token_issuer, self._issuers = pki, token_issuer, issuers or {}
        self._folder = private_folder(folder)
        self.attacker_listener = AttackerListener()
        self.keylog: FilePath | None = None
        """Where the TLS secrets of the connections go, for whoever reads a capture of them; set before any is made."""
        self._contexts: dict[tuple[FilePath, str, str], ssl.SSLContext] = {}
        self._presented: dict[tuple[str, str], Identity] = {}
        self._lock = threading.Lock()

    def context(self, ca: FilePath, client_secret: str, certificate: str) -> ssl.SSLContext:
        """A client context that trusts *ca* alone and presents *client_secret*'s certificate of that class."""
        key = (ca, client_secret, certificate)
        with self._lock:
            if key not in self._contexts:
                self._contexts[key] = self._make_context(*key)
            return self._contexts[key]

    def presented(self, client_secret: str, certificate: str) -> Identity | None:
        """What the context of that class presents; None before one was made, or where it presents nothing."""
        return self._presented.get((client_secret, certificate))

    def offering(self, protocol: str, ca: FilePath, client_secret: str) -> ssl.SSLContext:
        """A new context with the good certificate that offers *protocol* alone."""
        context = self.fresh(ca, client_secret, GOOD)
        context.set_alpn_protocols([protocol])
        return context

    def fresh(self, ca: FilePath, client_secret: str, certificate: str) -> ssl.SSLContext:
        """What :meth:`context` makes, new each time: for who changes it."""
        return self._make_context(ca, client_secret, certificate)

    def certificate(self, client_secret: str, name: str = GOOD) -> x509.Certificate | None:
        """The client's own certificate, or its one of the class *name*: public; None for a client that has none."""
        identity = self._identity(client_secret, name) if client_secret else None
        return None if identity is None else identity.certificate

    def _make_context(self, ca: FilePath, client_secret: str, certificate: str) -> ssl.SSLContext:
        context = trusting(ca)
        if self.keylog is not None:
            context.keylog_filename = str(self.keylog)
        # Some servers ask for the certificate once they have read the path (Apache's SSLVerifyClient in a location).
        context.post_handshake_auth = True
        identity = self._identity(client_secret, certificate) if client_secret else None
        if identity is not None:
            # Weak keys are part of what is presented; our own library must not refuse to present them.
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
            context.load_cert_chain(write_identity(identity, self._folder, f"{client_secret}-{certificate}"))
            self._presented[client_secret, certificate] = identity
        return context

    def _identity(self, client_secret: str, certificate: str) -> Identity | None:
        return CERTIFICATE_CLASSES[certificate].build(self._pki, client_secret)

    def certificate_file(self, client_secret: str) -> FilePath | None:
        """The client's own certificate with its key (PEM, private); None for a client that has none."""
        identity = self._identity(client_secret, GOOD) if client_secret else None
        return write_identity(identity, self._folder, client_secret) if identity is not None else None

    def client_secret(self, client_secret: str) -> str:
        """What a client of our own labs authenticates with at a token service: the digest of its key file."""
        identity = self._identity(client_secret, GOOD)
        return "" if identity is None else hashlib.sha256(identity.key_pem()).hexdigest()

    def identity(self, secret: str) -> Identity:
        """The certificate and key of *secret* in a lab of our own; raises LabError where there is none."""
        found = self._identity(secret, GOOD)
        if found is None:
            raise LabError(f"no key is at hand of {secret}")
        return found

    @property
    def signing_key(self) -> Private:
        """The key good tokens are signed with."""
        return self._token_issuer.key

    def _issuer_of(self, server: Server) -> TokenIssuer:
        return self._issuers.get(server.keys_from, self._token_issuer)

    def signing_key_for(self, server: Server) -> Private:
        """The key that good tokens for *server* are signed with."""
        return self._issuer_of(server).key

    def issuer_key(self, issuer: str) -> Private:
        """The key that *issuer* signs with in a lab of our own; the key server's, where nobody is that issuer."""
        found = self._issuers.get(reference().issuers.get(issuer, ""), self._token_issuer)
        return found.key

    @property
    def misnamed(self) -> str:
        """What is wrong with the audience of the good token, '' where nothing is."""
        return self._token_issuer.misnamed

    def request(self, flow: Flow, stimulus: Stimulus, host: str, nonce: str) -> Prepared:
        """The flow's request to *host*, marked with *nonce*, carrying the stimulus's token in its first form."""
        return self.sendings(flow, stimulus, host, lambda _form: nonce)[0].request

    def sendings(self, flow: Flow, stimulus: Stimulus, host: str, nonces: Callable[[str], str]) -> Sequence[Sending]:
        """The same in every form that the stimulus has; *nonces* gives each form's nonce, '' the first one's."""
        found = []
        header = self._certificate_header(flow, stimulus)
        for number, presented in enumerate(self._forms(flow, stimulus, nonces(""))):
            presented = _with(presented, header)
            nonce = nonces(str(number) if number else "")
            before = (
                _request(flow, _with(each, header), host, nonces(f"before {nonce} {location}"))
                for location, each in enumerate(presented.before)
            )
            request = _request(flow, presented, host, nonce)
            other = presented.unseen
            unseen = _request(flow, _with(other, header), host, nonces(f"unseen {nonce}")) if other else None
            found.append(Sending(request, nonce, presented.form, tuple(before), presented.wait, unseen))
        return found

    def _forms(self, flow: Flow, stimulus: Stimulus, nonce: str) -> Sequence[Presented]:
        token_issuer = self._issuer_for(flow)
        if stimulus.token in LURING:
            token_issuer = token_issuer.with_attacker_url(self.attacker_listener.url(nonce))
        return TOKEN_CLASSES[stimulus.token].forms(token_issuer)

    def _certificate_header(self, flow: Flow, stimulus: Stimulus) -> tuple[tuple[str, bytes], ...]:
        """The client's certificate as a balancer hands it on, for a server that reads it in a header."""
        name, owner = flow.server.certificate_header, flow.server.product
        if not (name and flow.client_secret):
            return ()
        usual = product(owner).certificate_header if owner else ""
        identity = self._identity(flow.client_secret, stimulus.certificate)
        return header_field(name, usual, identity, stimulus.transport, flow.server.certificate_encoding)

    def _issuer_for(self, flow: Flow) -> TokenIssuer:
        server, token_issuer = flow.server, self._issuer_of(flow.server)
        named = server.issuer or server.audience
        return token_issuer.naming(server.issuer, server.audience) if named else token_issuer

    def signed_by(self, key: Private, offset: float, flow: Flow, host: str, nonce: str) -> Prepared:
        """The same with a good token, signed with *key* at a moment *offset* seconds from now."""
        token_issuer = HeldTokenIssuer(key, key_id(key.public_key()), lambda: self._token_issuer.clock() + offset)
        return _request(flow, TOKEN_CLASSES[GOOD].build(token_issuer), host, nonce)


def _with(presented: Presented, header: tuple[tuple[str, bytes], ...]) -> Presented:
    """*presented* with the fields *header* besides."""
    return replace(presented, headers=(*presented.headers, *header))


def _request(flow: Flow, presented: Presented, host: str, nonce: str) -> Prepared:
    body = flow.body.replace("{nonce}", nonce).encode()
    target = flow.path.replace("{nonce}", nonce)
    if presented.query:
        target += ("&" if "?" in target else "?") + presented.query
    headers: list[tuple[str, bytes]] = [("Host", host.encode()), (NONCE_HEADER, nonce.encode())]
    headers.append(("User-Agent", USER_AGENT.encode()))
    headers += presented.headers
    if body:
        headers += [("Content-Type", b"application/json"), ("Content-Length", str(len(body)).encode())]
    headers.append(("Connection", b"close"))
    return prepare(flow.method, target, tuple(headers), body)
