"""The reference subsystems; one process, ``python -m harness.subsystems KINDS-MODULE...``.

They are the thing under test, so they know nothing of requirements, cases or expectations: key material and
configuration reach them as files, and every decision is made with kept libraries (OpenSSL, PyJWT, cryptography).

``server`` is what all of them are built on.  A request goes  connection (TCP, clear text or TLS) -> tls (client
certificate) -> http -> access (subject, token) -> application (portal, analytics, ...).  What each step decides is a
field of :class:`harness.subsystems.server.policy.ServerPolicy`; a fault replaces one of them.  A package a product says
what its kinds do once a client was let in; ``registry`` reads them, ``worker`` holds the instances of a process.
"""
