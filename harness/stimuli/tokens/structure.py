"""Token classes on structure and encoding: segments, base64url."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

from harness.stimuli.registry import Intrusiveness, MadeBy
from harness.stimuli.tokens.issuer import TokenIssuer
from harness.stimuli.tokens.jose import jwe
from harness.stimuli.tokens.table import Classes, Presented, authorization
from harness.stimuli.unavailable import StimulusUnavailable

CLASSES = Classes()

_TRIES = 64
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@CLASSES.token("good", made_by=MadeBy.HOLDER)
def _good(token_issuer: TokenIssuer) -> str:
    """a token as management makes it"""
    return token_issuer.token()


@CLASSES.add("str-no-token")
def _no_token(token_issuer: TokenIssuer) -> Presented:
    """no token at all"""
    return Presented()


@CLASSES.several("str-empty-bearer")
def _empty_bearer(token_issuer: TokenIssuer) -> Iterator[Presented]:
    """the scheme Bearer with nothing after it, a word, or two dots"""
    for name, text in (("nothing", ""), ("a word", "abc"), ("two dots", "..")):
        yield replace(authorization(f"Bearer {text}"), form=name)


@CLASSES.token("str-opaque")
def _opaque(token_issuer: TokenIssuer) -> str:
    """a word that is not a JWT"""
    return "abc"


@CLASSES.token("str-one-seg")
def _one_segment(token_issuer: TokenIssuer) -> str:
    """only the header segment"""
    return token_issuer.token().split(".")[0]


@CLASSES.token("str-two-seg")
def _two_segments(token_issuer: TokenIssuer) -> str:
    """header and payload without a signature segment"""
    return token_issuer.token().rpartition(".")[0]


@CLASSES.forms("str-empty-sig")
def _empty_signature(token_issuer: TokenIssuer) -> Iterator[tuple[str, str]]:
    """the right algorithm in the header, the signature segment empty or absent"""
    signed = token_issuer.token().rpartition(".")[0]
    yield "empty", f"{signed}."
    yield "absent", signed


@CLASSES.token("str-empty-payload")
def _empty_payload(token_issuer: TokenIssuer) -> str:
    """the payload segment empty"""
    header, _, signature = token_issuer.token().split(".")
    return f"{header}..{signature}"


@CLASSES.token("str-empty-header")
def _empty_header(token_issuer: TokenIssuer) -> str:
    """the header segment empty"""
    return "." + token_issuer.token().partition(".")[2]


@CLASSES.token("str-dots-only")
def _dots(token_issuer: TokenIssuer) -> str:
    """two dots and nothing else"""
    return ".."


@CLASSES.token("str-extra-seg", made_by=MadeBy.HOLDER)
def _extra(token_issuer: TokenIssuer) -> str:
    """a fourth segment after a good token"""
    return token_issuer.token() + ".eA"


@CLASSES.token("str-extra-empty-seg", made_by=MadeBy.HOLDER)
def _extra_empty(token_issuer: TokenIssuer) -> str:
    """an empty fourth segment after a good token"""
    return token_issuer.token() + "."


@CLASSES.token("str-many-dots", intrusive=Intrusiveness.STRESS)
def _many_dots(token_issuer: TokenIssuer) -> str:
    """six thousand dots"""
    return "." * 6000


@CLASSES.token("str-jwe-five")
def _jwe(token_issuer: TokenIssuer) -> str:
    """a good token encrypted to the issuer's own public key: a JWE of five segments"""
    return jwe(token_issuer.token().encode(), token_issuer.published[0].key, token_issuer.kid)


@CLASSES.token("str-jws-json")
def _json_form(token_issuer: TokenIssuer) -> str:
    """a good token in JSON serialisation instead of the compact one"""
    header, payload, signature = token_issuer.token().split(".")
    return json.dumps({"protected": header, "payload": payload, "signature": signature}, separators=(",", ":"))


@CLASSES.token("enc-pad-canonical", made_by=MadeBy.HOLDER)
def _padded(token_issuer: TokenIssuer) -> str:
    """the signature segment with its base64 padding"""
    token = token_issuer.token()
    padding = "=" * (-len(token.rpartition(".")[2]) % 4)
    if not padding:
        raise StimulusUnavailable("a signature of this length has no padding")
    return token + padding


@CLASSES.token("enc-pad-noncanonical", made_by=MadeBy.HOLDER)
def _overpadded(token_issuer: TokenIssuer) -> str:
    """the signature segment with one padding character too many"""
    token = token_issuer.token()
    return token + "=" * (-len(token.rpartition(".")[2]) % 4 + 1)


@CLASSES.token("enc-std-alphabet", made_by=MadeBy.HOLDER)
def _standard_alphabet(token_issuer: TokenIssuer) -> str:
    """the signature segment in the standard base64 alphabet (+ and / for - and _)"""
    for _ in range(_TRIES):  # one of an RSA key without either character comes once in 50,000, one of ES256 in 15
        signed, _, signature = token_issuer.token(claims=token_issuer.claims()).rpartition(".")
        other = signature.replace("-", "+").replace("_", "/")
        if other != signature:
            return f"{signed}.{other}"
    raise StimulusUnavailable("the signature of the good token reads the same in both alphabets")


@CLASSES.token("enc-unused-bits", made_by=MadeBy.HOLDER)
def _unused_bits(token_issuer: TokenIssuer) -> str:
    """the unused bits in the signature's last character set: another encoding of the same octets"""
    token = token_issuer.token()
    # 256 octets leave four unused bits in the last of 342 characters; all are zero in a canonical encoding.
    if len(token.rpartition(".")[2]) % 4 == 0:
        raise StimulusUnavailable("a signature of this length leaves no unused bits")
    return token[:-1] + _ALPHABET[_ALPHABET.index(token[-1]) | 1]


@CLASSES.token("enc-inner-space", made_by=MadeBy.HOLDER)
def _inner_space(token_issuer: TokenIssuer) -> str:
    """a space within the signature segment"""
    return _inside_signature(token_issuer, " ")


@CLASSES.token("enc-illegal-char", made_by=MadeBy.HOLDER)
def _illegal(token_issuer: TokenIssuer) -> str:
    """a character outside the alphabet (!) within the signature segment"""
    return _inside_signature(token_issuer, "!")


@CLASSES.token("enc-nonascii", made_by=MadeBy.HOLDER)
def _nonascii(token_issuer: TokenIssuer) -> str:
    """a letter outside ASCII (é in UTF-8) within the signature segment"""
    return _inside_signature(token_issuer, "\u00e9")


@CLASSES.token("enc-len-mod4-1", made_by=MadeBy.HOLDER)
def _impossible_length(token_issuer: TokenIssuer) -> str:
    """a signature segment of a length that is impossible in base64"""
    signed, _, signature = token_issuer.token().rpartition(".")
    return f"{signed}.{signature[: len(signature) // 4 * 4]}A"


@CLASSES.token("enc-percent", made_by=MadeBy.HOLDER)
def _percent(token_issuer: TokenIssuer) -> str:
    """the dots between the segments percent-encoded"""
    return token_issuer.token().replace(".", "%2E")


def _inside_signature(token_issuer: TokenIssuer, text: str) -> str:
    token = token_issuer.token()
    middle = len(token) - len(token.rpartition(".")[2]) // 2
    return token[:middle] + text + token[middle:]
