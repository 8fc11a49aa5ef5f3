"""Reads captured packets: files, frames, TCP streams, and what TLS and HTTP show of each connection.

The way of a packet: :mod:`capture` (file formats) -> :mod:`frames` (link and IP layers) -> :mod:`streams` (TCP order)
-> :mod:`tls` or :mod:`cleartext` -> :mod:`table` (one :class:`~harness.model.connection.Connection` each).  Everything
read here was written by strangers: no content raises, no content makes memory grow without bound, and what a limit or
a damaged file hides is said in the connection's or the capture's notes.
"""
