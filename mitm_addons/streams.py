"""Keeps asyncio from dropping what a peer said last.  Knows sockets and streams, nothing of mitmproxy's layers.

A peer that refuses sends its TLS alert and closes.  If our next write meets the closed socket, asyncio gives up the
connection with the alert still unread, in the socket or in the StreamReader, and the reason of the refusal is lost.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

_CHUNK = 65536


def keep_last_words(reader: Any, writer: Any) -> None:
    """Makes a connection error end *reader* like an end of stream, after all that had arrived before it.

    *reader* and *writer* are an asyncio StreamReader and StreamWriter; Any, because both get methods replaced.
    """
    socket, drain = writer.get_extra_info("socket"), writer.drain

    def end(_error: BaseException) -> None:
        with contextlib.suppress(OSError):  # the same error again, or nothing to read
            while data := os.read(socket.fileno(), _CHUNK):
                reader.feed_data(data)
        reader.feed_eof()

    async def drain_ignoring_reset() -> None:
        with contextlib.suppress(OSError):  # mitmproxy would stop reading; the reader will come to the end by itself
            await drain()

    reader.set_exception = end
    writer.drain = drain_ignoring_reset
