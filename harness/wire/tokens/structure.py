"""Token classes on structure and encoding: segments, base64url."""

from __future__ import annotations

import json

from harness.wire.refusal import CannotMake
from harness.wire.tokens.jose import jwe
from harness.wire.tokens.mint import Mint
from harness.wire.tokens.table import Classes, Presented, authorization

CLASSES = Classes()

_TRIES = 64
_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


@CLASSES.token("good")
def _good(mint: Mint) -> str:
    """a token as management makes it"""
    return mint.token()


@CLASSES.add("str-no-token")
def _no_token(mint: Mint) -> Presented:
    """no token at all"""
    return Presented()


@CLASSES.add("str-empty-bearer")
def _empty_bearer(mint: Mint) -> Presented:
    """the scheme Bearer with nothing after it"""
    return authorization("Bearer ")


@CLASSES.token("str-opaque")
def _opaque(mint: Mint) -> str:
    """a word that is no JWT"""
    return "abc"


@CLASSES.token("str-one-seg")
def _one_segment(mint: Mint) -> str:
    """only the header segment"""
    return mint.token().split(".")[0]


@CLASSES.token("str-two-seg")
def _two_segments(mint: Mint) -> str:
    """header and payload without a signature segment"""
    return mint.token().rpartition(".")[0]


@CLASSES.token("str-empty-sig")
def _empty_signature(mint: Mint) -> str:
    """the right algorithm in the header, the signature segment empty"""
    return mint.token().rpartition(".")[0] + "."


@CLASSES.token("str-empty-payload")
def _empty_payload(mint: Mint) -> str:
    """the payload segment empty"""
    header, _, signature = mint.token().split(".")
    return f"{header}..{signature}"


@CLASSES.token("str-empty-header")
def _empty_header(mint: Mint) -> str:
    """the header segment empty"""
    return "." + mint.token().partition(".")[2]


@CLASSES.token("str-dots-only")
def _dots(mint: Mint) -> str:
    """two dots and nothing else"""
    return ".."


@CLASSES.token("str-extra-seg")
def _extra(mint: Mint) -> str:
    """a fourth segment after a good token"""
    return mint.token() + ".eA"


@CLASSES.token("str-extra-empty-seg")
def _extra_empty(mint: Mint) -> str:
    """an empty fourth segment after a good token"""
    return mint.token() + "."


@CLASSES.token("str-many-dots")
def _many_dots(mint: Mint) -> str:
    """six thousand dots"""
    return "." * 6000


@CLASSES.token("str-jwe-five")
def _jwe(mint: Mint) -> str:
    """a good token encrypted to the issuer's own public key: a JWE of five segments"""
    return jwe(mint.token().encode(), mint.published[0].key, mint.kid)


@CLASSES.token("str-jws-json")
def _json_form(mint: Mint) -> str:
    """a good token in JSON serialisation instead of the compact one"""
    header, payload, signature = mint.token().split(".")
    return json.dumps({"protected": header, "payload": payload, "signature": signature}, separators=(",", ":"))


@CLASSES.token("enc-pad-canonical")
def _padded(mint: Mint) -> str:
    """the signature segment with its base64 padding"""
    token = mint.token()
    padding = "=" * (-len(token.rpartition(".")[2]) % 4)
    if not padding:
        raise CannotMake("a signature of this length has no padding")
    return token + padding


@CLASSES.token("enc-pad-noncanonical")
def _overpadded(mint: Mint) -> str:
    """the signature segment with one padding character too many"""
    token = mint.token()
    return token + "=" * (-len(token.rpartition(".")[2]) % 4 + 1)


@CLASSES.token("enc-std-alphabet")
def _standard_alphabet(mint: Mint) -> str:
    """the signature segment in the standard base64 alphabet (+ and / for - and _)"""
    for _ in range(_TRIES):  # one of an RSA key without either character comes once in 50,000, one of ES256 in 15
        signed, _, signature = mint.token(claims=mint.claims()).rpartition(".")
        other = signature.replace("-", "+").replace("_", "/")
        if other != signature:
            return f"{signed}.{other}"
    raise CannotMake("the signature of the good token reads the same in both alphabets")


@CLASSES.token("enc-unused-bits")
def _unused_bits(mint: Mint) -> str:
    """the unused bits in the signature's last character set: another text for the same octets"""
    token = mint.token()
    # 256 octets leave four unused bits in the last of 342 characters; all are zero in a canonical encoding.
    if len(token.rpartition(".")[2]) % 4 == 0:
        raise CannotMake("a signature of this length leaves no unused bits")
    return token[:-1] + _ALPHABET[_ALPHABET.index(token[-1]) | 1]


@CLASSES.token("enc-inner-space")
def _inner_space(mint: Mint) -> str:
    """a space within the signature segment"""
    return _inside_signature(mint, " ")


@CLASSES.token("enc-illegal-char")
def _illegal(mint: Mint) -> str:
    """a character outside the alphabet (!) within the signature segment"""
    return _inside_signature(mint, "!")


@CLASSES.token("enc-nonascii")
def _nonascii(mint: Mint) -> str:
    """a letter outside ASCII (é in UTF-8) within the signature segment"""
    return _inside_signature(mint, "\u00e9")


@CLASSES.token("enc-len-mod4-1")
def _impossible_length(mint: Mint) -> str:
    """a signature segment of a length no base64 text can have"""
    signed, _, signature = mint.token().rpartition(".")
    return f"{signed}.{signature[: len(signature) // 4 * 4]}A"


@CLASSES.token("enc-percent")
def _percent(mint: Mint) -> str:
    """the dots between the segments percent-encoded"""
    return mint.token().replace(".", "%2E")


def _inside_signature(mint: Mint, text: str) -> str:
    token = mint.token()
    middle = len(token) - len(token.rpartition(".")[2]) // 2
    return token[:middle] + text + token[middle:]
