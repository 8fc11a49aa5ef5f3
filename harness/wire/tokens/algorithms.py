"""Token classes on the algorithm: none, symmetric with a public key as secret, another than the server expects."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from harness.wire.jwk import Published
from harness.wire.refusal import CannotMake
from harness.wire.tokens import jwa
from harness.wire.tokens.confusion import Form, as_der, as_jwk, as_number, as_pem
from harness.wire.tokens.jose import as_json, encode, unsigned
from harness.wire.tokens.mint import ABSENT, Mint
from harness.wire.tokens.table import Classes

CLASSES = Classes()


@CLASSES.token("alg-none")
def _none(mint: Mint) -> str:
    """alg none and no signature"""
    return mint.token(header=mint.header(alg="none"), sign=unsigned)


@CLASSES.token("alg-none-case")
def _none_case(mint: Mint) -> str:
    """alg nOnE and no signature"""
    return mint.token(header=mint.header(alg="nOnE"), sign=unsigned)


@CLASSES.token("alg-none-with-sig")
def _none_signed(mint: Mint) -> str:
    """alg none, the signature of the good token kept"""
    _, payload, signature = mint.token().split(".")
    return f"{encode(as_json(mint.header(alg='none')))}.{payload}.{signature}"


@CLASSES.token("alg-missing")
def _missing(mint: Mint) -> str:
    """no alg in the header"""
    return mint.with_header(alg=ABSENT)


@CLASSES.token("alg-empty")
def _empty(mint: Mint) -> str:
    """an empty alg"""
    return mint.with_header(alg="")


@CLASSES.token("alg-nonstring")
def _nonstring(mint: Mint) -> str:
    """alg is an array that holds the right one"""
    return mint.with_header(alg=[mint.alg])


@CLASSES.token("alg-lowercase")
def _lowercase(mint: Mint) -> str:
    """the right alg in small letters"""
    return mint.with_header(alg=mint.alg.lower())


@CLASSES.token("alg-whitespace")
def _whitespace(mint: Mint) -> str:
    """the right alg followed by a space"""
    return mint.with_header(alg=f"{mint.alg} ")


@CLASSES.token("alg-unknown")
def _unknown(mint: Mint) -> str:
    """an alg that does not exist"""
    return mint.with_header(alg="FOO")


@CLASSES.token("alg-jwe-name")
def _jwe_name(mint: Mint) -> str:
    """the name of an encryption algorithm (RSA-OAEP) as alg"""
    return mint.with_header(alg="RSA-OAEP")


@CLASSES.forms("alg-hs-rsa-pem")
def _hs_pem(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with a public key that verifies (PEM, or its certificate's) as the secret"""
    return _confused(mint, as_pem)


@CLASSES.forms("alg-hs-der")
def _hs_der(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with a public key that verifies (DER) as the secret"""
    return _confused(mint, as_der)


@CLASSES.forms("alg-hs-jwk")
def _hs_jwk(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with a public JWK that verifies, or the whole set, as the secret"""
    return _confused(mint, as_jwk)


@CLASSES.forms("alg-hs-modulus")
def _hs_modulus(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with the bare numbers of a public key that verifies as the secret"""
    return _confused(mint, as_number)


@CLASSES.forms("alg-hs-empty-secret")
def _hs_empty(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with an empty secret"""
    return _macs(mint, [("empty secret", b""), ("one zero octet", bytes(1))])


@CLASSES.forms("alg-hs-weak-secret")
def _hs_weak(mint: Mint) -> Iterator[tuple[str, str]]:
    """HMAC with a secret that stands in every word list"""
    return _macs(mint, [(word, word.encode()) for word in ("secret", "changeme", "password", "your-256-bit-secret")])


@CLASSES.forms("alg-rs-to-ps")
def _pss(mint: Mint) -> Iterator[tuple[str, str]]:
    """genuinely signed with the right RSA key, with the other padding (PKCS #1 v1.5, PSS) than is agreed"""
    return _genuine(mint, lambda alg: alg[:2] != mint.alg[:2] and alg[2:] == mint.alg[2:])


@CLASSES.forms("alg-hash-swap")
def _rs512(mint: Mint) -> Iterator[tuple[str, str]]:
    """genuinely signed with the right key, with another hash than is agreed"""
    return _genuine(mint, lambda alg: alg[:2] == mint.alg[:2] and alg[2:] != mint.alg[2:])


@CLASSES.forms("alg-header-vs-sig")
def _mismatch(mint: Mint) -> Iterator[tuple[str, str]]:
    """the header says another algorithm of the same kind of key than the signature is"""
    others = {"RS": "PS", "PS": "RS"}.get(mint.alg[:2], "")
    named = [others + mint.alg[2:]] if others else ["ES384" if mint.alg == "ES256" else "ES256"]
    for alg in named:
        yield alg, mint.with_header(alg=alg)


def _confused(mint: Mint, forms: Callable[[Published], Iterable[Form]]) -> Iterator[tuple[str, str]]:
    """Of every published key that may be the one that verifies, every form, under its own key id."""
    for published in mint.published:
        for name, secret in forms(published):
            yield from _macs(mint, [(f"{name} of {published.label}", secret)], published.kid)


def _macs(mint: Mint, secrets: Iterable[Form], kid: str = "") -> Iterator[tuple[str, str]]:
    # The key id that the good token has is the one that is looked up; only where nobody knows one, the key's own.
    named = {"kid": kid} if kid and "kid" not in mint.header() else {}
    for name, secret in secrets:
        for alg in jwa.macs(mint.alg):
            header = mint.header(alg=alg, **named)
            yield f"{alg}, secret: {name}", mint.token(header=header, sign=jwa.signer(alg, secret))


def _genuine(mint: Mint, wanted: Callable[[str], bool]) -> Iterator[tuple[str, str]]:
    kind = jwa.RSA if mint.alg in jwa.RSA else jwa.EC if mint.alg in jwa.EC else ()
    others = [alg for alg in kind if wanted(alg) and alg not in (*mint.agreed, "ES256K")]
    if not others:
        raise CannotMake(f"a key for {mint.alg} can sign with no other algorithm that the service has not agreed to")
    for alg in others:
        yield alg, mint.token(header=mint.header(alg=alg), sign=jwa.signer(alg, mint.key))
