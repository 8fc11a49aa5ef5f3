"""TLS contexts of clients that trust what their user names, the same under every version of Python."""

from __future__ import annotations

import ssl
from pathlib import Path


def trusting(ca: Path | None = None) -> ssl.SSLContext:
    """A client's context that trusts the certificates in *ca* alone, without it those of the system.

    Each certificate in *ca* is an anchor, an intermediate CA's as well, and RFC 5280's profile of how certificates are
    written is not enforced: since Python 3.13 ``ssl.create_default_context`` refuses, for one, a CA without key
    identifiers, which says nothing of the server under test.  Raises OSError for what cannot be read.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if ca is None:
        context.load_default_certs()
    else:
        context.load_verify_locations(ca)
    context.verify_flags = (context.verify_flags | ssl.VERIFY_X509_PARTIAL_CHAIN) & ~ssl.VERIFY_X509_STRICT
    return context
