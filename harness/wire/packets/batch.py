"""Many packets at once: what NumPy reads out of their headers, so that only handshakes are dissected one by one.

A transfer that goes on as expected changes nothing but counters: its segments follow one another, their flags say
nothing, and its TLS records are application data.  Whatever is not so goes the way of a single packet.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from collections.abc import Collection, Iterable, Iterator
from importlib import import_module
from typing import Any, NamedTuple

from harness.wire.packets.frames import Frames, Segment
from harness.wire.packets.packet import Packet
from harness.wire.packets.table import Key, Table, key_of
from harness.wire.packets.whole import Columns, Whole

# From the start of a frame: where its EtherType is (None: it has none), and where IP begins.
_LINKS: dict[int, tuple[int | None, int]] = {
    1: (12, 14), 113: (14, 16), 276: (0, 20), 12: (None, 0), 14: (None, 0), 101: (None, 0), 228: (None, 0)
}  # fmt: skip
_FEWEST = 32
"""Packets of one connection in a batch below which it is read one by one."""
_HEADERS = 40
_STEP = 8
"""Packets of such a connection that are read one by one before the rest is looked at, at first."""
_TCP, _ACK, _PUSH = 6, 0x10, 0x08
_RING = (1 << 32) - 1


def _numpy() -> Any:
    """NumPy, or None where it cannot be had: then packets are read one by one."""
    try:
        return import_module("numpy")
    except ImportError:
        return None


class Batch(NamedTuple):
    """Packets of one link type in *buffer*: ``starts`` are where their bytes begin, behind headers of *order*.

    Headers are those of pcap, or (``ng``) of pcapng's enhanced packet blocks, in whose time *unit* and *offset* are.
    """

    buffer: bytes
    starts: list[int]
    link: int
    order: str
    unit: float
    offset: int = 0
    ng: bool = False

    def packets(self) -> Iterator[Packet]:
        """One by one."""
        return (self.packet(start) for start in self.starts)

    def packet(self, start: int) -> Packet:
        """The packet whose bytes begin at *start*."""
        if self.ng:
            high, low, captured, length = struct.unpack_from(f"{self.order}IIII", self.buffer, start - 16)
            time = self.offset + ((high << 32) | low) * self.unit
        else:
            seconds, fraction, captured, length = struct.unpack_from(f"{self.order}IIII", self.buffer, start - 16)
            time = seconds + fraction * self.unit
        return Packet(time, self.link, self.buffer[start : start + captured], length)


class Batches:
    """Reads batches into *table*; *frames* dissects what is read one by one.

    Within a batch a connection with many packets is read to its end before the next: only how long each was idle, by
    which the table chooses whom to drop, is known no finer than by the batch.
    """

    def __init__(self, table: Table, frames: Frames) -> None:
        self._table, self._frames = table, frames
        self._numpy = _numpy()

    def take(self, batch: Batch) -> int:
        """Read *batch*; returns how many TCP segments it has."""
        link = _LINKS.get(batch.link)
        if self._numpy is None or link is None or len(batch.starts) < _FEWEST:
            return self._one_by_one(batch, batch.starts)
        headers = _Headers(self._numpy, batch, *link)
        left = self._numpy.ones(len(batch.starts), dtype=bool)
        left[headers.rows] = False
        others = self._dissected(batch, self._numpy.nonzero(left)[0].tolist())
        # A connection of which some packets are unusual is read one by one, so that all come in order.
        unusual = {key_of(segment) for segment, _ in others.values()}
        left[:] = True
        left[headers.rows[self._whole(headers, unusual)]] = False
        for group in headers.large:
            if left[headers.rows[group[0]]] and headers.key(group[0]) not in unusual:
                left[headers.rows[group]] = False
                self._connection(headers, group)
        usual = set(headers.rows.tolist()) if len(headers.rows) < len(batch.starts) else None
        for number in self._numpy.nonzero(left)[0].tolist():
            if number in others:
                self._table.take(*others[number])
            elif usual is None or number in usual:
                self._one_by_one(batch, (batch.starts[number],))
        return len(headers.rows) + len(others)

    def _whole(self, headers: _Headers, unusual: Collection[Key]) -> Any:
        """The rows of the short connections that begin here, which have been read."""
        whole = Whole(self._numpy, headers.batch.buffer, headers.columns)
        for key, assembly in whole.read(lambda key: key not in unusual and self._table.known(key) is None):
            self._table.opened(key, assembly)
        return whole.rows()

    def _dissected(self, batch: Batch, numbers: Iterable[int]) -> dict[int, tuple[Segment, float]]:
        """What is a segment of those *numbers* of which NumPy read nothing, and when it came."""
        found = {}
        for number in numbers:
            one = batch.packet(batch.starts[number])
            segment: Segment | None = self._frames.segment(one)
            if segment is not None:
                found[number] = (segment, one.time)
        return found

    def _one_by_one(self, batch: Batch, starts: Iterable[int]) -> int:
        take, dissect, packet, segments = self._table.take, self._frames.segment, batch.packet, 0
        for start in starts:
            one = packet(start)
            segment: Segment | None = dissect(one)
            if segment is not None:
                segments += 1
                take(segment, one.time)
        return segments

    def _connection(self, headers: _Headers, group: Any) -> None:
        """All packets *group* of one connection: one by one, until what follows is only more of the same."""
        batch, key, at, step = headers.batch, headers.key(group[0]), 0, _STEP
        edges = headers.edges(group)
        while at < len(group):
            end = edges[bisect_right(edges, at)]
            if end - at >= _FEWEST and self._in_bulk(headers, key, group[at:end]):
                at, step = end, _STEP
                continue
            numbers = headers.rows[group[at : at + step]].tolist()
            self._one_by_one(batch, [batch.starts[number] for number in numbers])
            at, step = at + step, min(step * 2, _FEWEST * 8)

    def _in_bulk(self, headers: _Headers, key: Key, group: Any) -> bool:
        """Whether the packets *group* of one connection were only more of the same, and have been counted."""
        assembly = self._table.known(key)
        if assembly is None or len(assembly.directions) < 2:
            return False
        ways = []
        for end, direction in assembly.directions.items():
            own = group[headers.source[group] == (int.from_bytes(end[0], "big") << 16 | end[1])]
            if len(own):
                pieces = headers.pieces(own[headers.sizes[own] > 0])
                seen = direction.side.skim(pieces) if direction.follows(pieces.sequence, pieces.size) else None
                if seen is None:
                    return False
                ways.append((direction, own, pieces, seen))
        for direction, own, pieces, seen in ways:
            direction.counted(len(own), pieces.size, int(headers.acknowledged[own[-1]]))
            seen()
        assembly.last = float(headers.times[group[-1]])
        self._table.touched(key)
        return True


class Pieces:
    """The payloads of one direction, in order, as one text; where they are in the batch's buffer."""

    def __init__(self, buffer: bytes, starts: list[int], ends: list[int], times: list[float], sequence: int) -> None:
        self._buffer, self._starts, self.times, self.sequence, self.ends = buffer, starts, times, sequence, ends
        self.size = ends[-1] if ends else 0

    def read(self, at: int, size: int, piece: int) -> bytes:
        """*size* bytes from *at*, which is in the *piece*."""
        found = b""
        while size > 0 and piece < len(self.ends):
            rest = self.ends[piece] - at
            start = self._starts[piece] + (at - (self.ends[piece - 1] if piece else 0))
            part = self._buffer[start : start + min(rest, size)]
            found, at, size, piece = found + part, at + len(part), size - len(part), piece + 1
        return found


class _Headers:
    """The headers of a batch's whole IPv4 TCP segments without options of IP, and which belong to one connection.

    ``rows`` are their numbers in the batch; all other arrays are by row.  ``large`` are the rows of each connection
    that has many.
    """

    def __init__(self, numpy: Any, batch: Batch, ether: int | None, at: int) -> None:
        self.batch, self._numpy = batch, numpy
        data = numpy.frombuffer(batch.buffer, dtype=numpy.uint8)
        starts = numpy.array(batch.starts, dtype=numpy.int64)
        windows = numpy.lib.stride_tricks.sliding_window_view
        records = windows(data, 16)[starts - 16].view(f"{batch.order}u4")
        captured = records[:, 2].astype(numpy.int64)
        long = numpy.nonzero(captured >= at + _HEADERS)[0]
        frames = windows(data, at + _HEADERS)[starts[long]] if len(long) else data[:0].reshape(0, at + _HEADERS)
        ip = frames[:, at:]
        total = ip[:, 2].astype(numpy.int64) * 256 + ip[:, 3]
        begin = 20 + (ip[:, 32] >> 4).astype(numpy.int64) * 4
        fits = (ip[:, 0] == 0x45) & (ip[:, 9] == _TCP) & ((ip[:, 6] & 0x3F) == 0) & (ip[:, 7] == 0)
        fits &= (begin >= 40) & (begin <= total) & (total <= captured[long] - at)
        if ether is not None:
            fits &= (frames[:, ether] == 8) & (frames[:, ether + 1] == 0)
        self.rows = long[fits]
        ip, begin = ip[fits], begin[fits]
        self.sizes = total[fits] - begin
        self._payloads = starts[self.rows] + at + begin
        words = numpy.ascontiguousarray(ip).view(">u4")
        ports = numpy.ascontiguousarray(ip[:, 20:24]).view(">u2").astype(numpy.uint64)
        self.source = (words[:, 3].astype(numpy.uint64) << numpy.uint64(16)) | ports[:, 0]
        self._target = (words[:, 4].astype(numpy.uint64) << numpy.uint64(16)) | ports[:, 1]
        self._sequence = words[:, 6].astype(numpy.int64)
        self.acknowledged = words[:, 7]
        self._flags = ip[:, 33]
        self.times = self._moments(records[self.rows])
        order, number = self._ordered()
        self.columns = Columns(
            self.source, self._target, self._sequence, self.acknowledged, self._flags, self.sizes, self._payloads,
            self.times, order, number,
        )  # fmt: skip
        self.large = self._many(order, number)

    def _moments(self, records: Any) -> Any:
        numpy, batch = self._numpy, self.batch
        one, two = records[:, 0].astype(numpy.uint64), records[:, 1].astype(numpy.uint64)
        if batch.ng:
            return batch.offset + ((one << numpy.uint64(32)) | two).astype(numpy.float64) * batch.unit
        return one.astype(numpy.float64) + two.astype(numpy.float64) * batch.unit

    def _ordered(self) -> tuple[Any, Any]:
        """The rows by connection and then by time, and the number of each one's connection."""
        numpy = self._numpy
        low, high = numpy.minimum(self.source, self._target), numpy.maximum(self.source, self._target)
        order = numpy.lexsort((high, low))
        low, high = low[order], high[order]
        number = numpy.zeros(len(order), dtype=numpy.int64)
        number[1:] = numpy.cumsum((low[1:] != low[:-1]) | (high[1:] != high[:-1]))
        return order, number

    def _many(self, order: Any, number: Any) -> list[Any]:
        """The rows of each connection with many, in order."""
        counts = self._numpy.bincount(number) if len(number) else number
        ends = self._numpy.cumsum(counts)
        large = self._numpy.nonzero(counts >= _FEWEST)[0].tolist()
        return [order[ends[at] - counts[at] : ends[at]] for at in large]

    def key(self, row: int) -> Key:
        """How the table calls the connection of *row*."""
        one, other = sorted((int(self.source[row]), int(self._target[row])))
        return (one >> 16).to_bytes(4, "big"), one & 0xFFFF, (other >> 16).to_bytes(4, "big"), other & 0xFFFF

    def edges(self, group: Any) -> list[int]:
        """Where in *group* something else than more of the same begins: a flag, or a segment out of order; its end."""
        numpy = self._numpy
        flags, source, sizes, sequence = (
            item[group] for item in (self._flags, self.source, self.sizes, self._sequence)
        )
        odd = (flags & ~numpy.uint8(_PUSH)) != _ACK
        for way in (source == source[0], source != source[0]):
            carried = numpy.nonzero(way & (sizes > 0))[0]
            ends = (sequence[carried] + sizes[carried]) & _RING
            odd[carried[1:]] |= ends[:-1] != sequence[carried[1:]]
        found = numpy.nonzero(odd)[0]
        return [*numpy.unique(numpy.concatenate((found, found + 1))).tolist(), len(group)]

    def pieces(self, rows: Any) -> Pieces:
        """The payloads of *rows*."""
        starts, ends = self._payloads[rows].tolist(), self._numpy.cumsum(self.sizes[rows]).tolist()
        first = int(self._sequence[rows[0]]) if len(rows) else 0
        return Pieces(self.batch.buffer, starts, ends, self.times[rows].tolist(), first)
