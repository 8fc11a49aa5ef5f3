"""Names TLS alerts.  Knows OpenSSL's words and the IANA registry; judges nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping

ALERTS: Mapping[int, str] = {
    0: "close_notify",
    10: "unexpected_message",
    20: "bad_record_mac",
    21: "decryption_failed",
    22: "record_overflow",
    30: "decompression_failure",
    40: "handshake_failure",
    41: "no_certificate",
    42: "bad_certificate",
    43: "unsupported_certificate",
    44: "certificate_revoked",
    45: "certificate_expired",
    46: "certificate_unknown",
    47: "illegal_parameter",
    48: "unknown_ca",
    49: "access_denied",
    50: "decode_error",
    51: "decrypt_error",
    52: "too_many_cids_requested",
    60: "export_restriction",
    70: "protocol_version",
    71: "insufficient_security",
    80: "internal_error",
    86: "inappropriate_fallback",
    90: "user_canceled",
    100: "no_renegotiation",
    109: "missing_extension",
    110: "unsupported_extension",
    111: "certificate_unobtainable",
    112: "unrecognized_name",
    113: "bad_certificate_status_response",
    114: "bad_certificate_hash_value",
    115: "unknown_psk_identity",
    116: "certificate_required",
    117: "general_error",
    120: "no_application_protocol",
    121: "ech_required",
}
"""The IANA registry "TLS Alerts" by number, lower case and without its ``_RESERVED`` marks."""

_SPELLING = {"user_cancelled": "user_canceled"}  # OpenSSL's, and the registry's
_NAMES = sorted({*ALERTS.values(), *_SPELLING}, key=len, reverse=True)
# An alert that was *received* carries a protocol prefix; the same words without it name a local error.
_RECEIVED = re.compile(
    rf"(?:^|[^a-z0-9_])(?:(?:ssl_tls|sslv3|tlsv1|tlsv13)_(?:alert_)?|tls_alert_)({'|'.join(_NAMES)})(?![a-z0-9_])"
)


def alert_name(error: str) -> str:
    """The IANA name (lower case) of the alert that *error* reports as received, '' if it reports none.

    *error* is OpenSSL's reason as ``ssl.SSLError.reason`` has it (``TLSV1_ALERT_UNKNOWN_CA``), its text as pyOpenSSL
    has it (``tlsv1 alert unknown ca``; ``ssl/tls alert ...`` since OpenSSL 3.2, ``tls alert ...``
    later), or a message that holds either.

    >>> alert_name("TLSV13_ALERT_CERTIFICATE_REQUIRED"), alert_name("CERTIFICATE_VERIFY_FAILED")
    ('certificate_required', '')
    """
    for words in (error, re.sub(r"[ /]", "_", error)):
        if match := _RECEIVED.search(words.lower()):
            return _SPELLING.get(match[1], match[1])
    return ""
