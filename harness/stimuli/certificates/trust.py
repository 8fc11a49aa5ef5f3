"""Certificate classes on trust and time: who signed, is the path complete, is it valid now."""

from __future__ import annotations

import functools
from datetime import timedelta

from cryptography.hazmat.primitives.asymmetric import rsa

from harness.pki.issue import Identity, Profile, issue, with_broken_signature
from harness.pki.keys import Key, spare_key
from harness.stimuli.certificates.table import Changes, Classes, below, intermediate, leaf
from harness.stimuli.credentials import Credentials
from harness.stimuli.registry import MadeBy, Need, needs

_WHATEVER_DATES = "certificate (whatever its dates)"
CLASSES = Classes()

_FAR = timedelta(days=30)  # further off than a test moves the lab's clock


def _attacker_of(pki: Credentials, secret: str) -> Key:
    """An attacker's key of the kind that the client has, so that a server does not refuse it for its kind."""
    return spare_key("attacker", pki.key(secret))


@functools.cache
def _weak_key() -> Key:
    return rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - weak on purpose


def _over(pki: Credentials, profile: Profile) -> Changes:
    """The profile's validity, as long as ever, moved to have ended 30 days ago."""
    end = pki.now - _FAR
    return {"not_before": end - (profile.not_after - profile.not_before), "not_after": end}


def _foreign_ca(pki: Credentials, secret: str) -> Identity:
    return issue(pki.ca_profile("unknown-ca"), key=_attacker_of(pki, secret))


@CLASSES.add("good", made_by=MadeBy.HOLDER)
def _good(pki: Credentials, secret: str) -> Identity:
    """the client's own certificate, as it is deployed"""
    return pki.identity(secret)


@CLASSES.add("ren-leaf-new-key", twin="ren-leaf-new-key")
def _renewed(pki: Credentials, secret: str) -> Identity:
    """the same subject under the same CA with a new key, as after a renewal or in the other data centre"""
    key = spare_key("renewed", pki.key(secret))
    return issue(pki.profile(secret), pki.issuer(secret), key=key).along(pki.along(secret))


@CLASSES.add("tls-no-cert")
def _no_cert(pki: Credentials, secret: str) -> None:
    """no client certificate at all"""


@CLASSES.add("via-intermediate", twin="via-intermediate", authorities=1)
def _via_intermediate(pki: Credentials, secret: str) -> Identity:
    """the right certificate issued by an intermediate CA under the trusted CA, the intermediate sent along"""
    return below(pki, secret, intermediate(pki, secret))


@CLASSES.add("ta-ica-out-of-order", twin="via-intermediate")
def _out_of_order(pki: Credentials, secret: str) -> Identity:
    """leaf, root, intermediate: the chain is complete but sent in another order"""
    ica = intermediate(pki, secret)
    return leaf(pki, secret, issuer=ica).sending(pki.issuer(secret), ica).along(pki.along(secret))


@CLASSES.add("ta-unknown-ca")
def _unknown_ca(pki: Credentials, secret: str) -> Identity:
    """the same certificate issued by an unknown CA"""
    return leaf(pki, secret, issuer=_foreign_ca(pki, secret))


@CLASSES.add("ta-other-ca", needs=needs(Need.OTHER_CA))
def _other_ca(pki: Credentials, secret: str) -> Identity:
    """the same certificate issued by another CA of the deployment (management-ca), which this server does not trust"""
    return leaf(pki, secret, issuer=pki.other_authority(secret))


@CLASSES.add("ta-selfsigned-leaf")
def _selfsigned(pki: Credentials, secret: str) -> Identity:
    """the same certificate signed by its own key"""
    return issue(pki.profile(secret), key=pki.key(secret))


@CLASSES.add("ta-same-name-other-key")
def _same_name(pki: Credentials, secret: str) -> Identity:
    """issued under the trusted CA's name, with the client's serial number, but signed by an attacker's key"""
    above, own = pki.issuer(secret), pki.identity(secret)
    forger = spare_key("attacker", above.certificate.public_key())
    forged = issue(pki.profile(secret), above, key=own.key, signer=forger, serial=own.certificate.serial_number)
    return forged.along(pki.along(secret))


@CLASSES.add("ta-shipped-root")
def _shipped_root(pki: Credentials, secret: str) -> Identity:
    """issued by an unknown CA whose root the client sends along"""
    root = _foreign_ca(pki, secret)
    return leaf(pki, secret, issuer=root).sending(root)


@CLASSES.add("ta-missing-ica", twin="via-intermediate")
def _missing_ica(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA that is neither sent nor configured"""
    return leaf(pki, secret, issuer=intermediate(pki, secret)).along(pki.along(secret))


@CLASSES.add("ta-leaf-not-first")
def _leaf_not_first(pki: Credentials, secret: str) -> Identity:
    """the client's certificate sent only after another one: the first, the end-entity certificate, is untrusted"""
    stranger = issue(pki.profile(secret), key=_attacker_of(pki, secret))
    return stranger.along(pki.identity(secret).chain)


@CLASSES.add("ta-alg-chain-broken")
def _broken_signature(pki: Credentials, secret: str) -> Identity:
    """the client's certificate with one bit of its signature flipped"""
    return with_broken_signature(pki.identity(secret))


@CLASSES.add("ta-root-cert-as-client")
def _root_as_client(pki: Credentials, secret: str) -> Identity:
    """the trusted CA's own certificate and key used as a client's"""
    above = pki.issuer(secret)
    authority = Identity(above.chain, above.key, above.signing, above.written)
    behind = tuple(certificate for certificate in pki.along(secret) if certificate != above.certificate)
    return authority.along(behind)


@CLASSES.add("v-expired-leaf", lets_in=_WHATEVER_DATES)
def _expired_leaf(pki: Credentials, secret: str) -> Identity:
    """expired 30 days ago"""
    return leaf(pki, secret, **_over(pki, pki.profile(secret)))


@CLASSES.add("v-notyet-leaf", lets_in=_WHATEVER_DATES)
def _notyet_leaf(pki: Credentials, secret: str) -> Identity:
    """becomes valid in 30 days"""
    return leaf(pki, secret, not_before=pki.now + _FAR, not_after=pki.profile(secret).not_after + _FAR)


@CLASSES.add("v-expired-ica", twin="via-intermediate", lets_in=_WHATEVER_DATES)
def _expired_ica(pki: Credentials, secret: str) -> Identity:
    """issued by an intermediate CA that expired 30 days ago"""
    return below(pki, secret, intermediate(pki, secret, **_over(pki, pki.ca_profile("any"))))


@CLASSES.add("tls-crl-revoked", needs=needs(Need.REVOKED), lets_in="certificate (even a revoked one)")
def _revoked(pki: Credentials, secret: str) -> Identity:
    """an earlier certificate of the client, from the right CA, which has since been revoked"""
    return pki.revoked(secret)


@CLASSES.add("k-rsa-weak", made_by=MadeBy.ISSUER)
def _weak(pki: Credentials, secret: str) -> Identity:
    """an RSA key of 1024 bits"""
    return issue(pki.profile(secret), pki.issuer(secret), key=_weak_key()).along(pki.along(secret))
