"""The reference subsystems: management, portal, analytics, gateways; one process, ``python -m harness.subsystems``.

They are the thing under test, so they know nothing of requirements, cases or expectations: key material and
configuration reach them as files, and every decision is made with kept libraries (OpenSSL, PyJWT, cryptography).

A request goes  door (TCP, clear text or TLS) -> tls (client certificate) -> endpoint (HTTP) -> gate (subject, token)
-> application (portal, analytics, ...).  What each step decides is a field of :class:`harness.subsystems.server.policy.ServerPolicy`;
a fault replaces one of them.  ``worker`` holds the instances of a process, ``__main__`` its two pipes.
"""
