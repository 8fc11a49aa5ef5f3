"""Short connections at once: those that begin in a batch and are in order as far as it goes.

NumPy finds them; of each, the bytes of either side are read in one go.  What comes of it is what reading packet by
packet gives, and a connection may go on in the next batch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from itertools import accumulate
from typing import Any, NamedTuple

from harness.wire.packets.assembly import Assembly, Direction
from harness.wire.packets.table import Key

MOST = 256
"""Packets of a connection above which most of it is a transfer, which is read otherwise."""
_FIN, _SYN, _RST, _ACK = 1, 2, 4, 0x10
_RING = (1 << 32) - 1


_Pieces = tuple[list[int], list[int], list[float]]
"""Of each segment with data: where it is, how long, and when it came."""


class Columns(NamedTuple):
    """What the headers of a batch's usual segments say, an array each, by row.

    ``source`` and ``target`` are address and port in one number; ``order`` sorts the rows by connection, and
    ``connection`` numbers these, in that order.
    """

    source: Any
    target: Any
    sequence: Any
    acknowledged: Any
    flags: Any
    sizes: Any
    payloads: Any
    times: Any
    order: Any
    connection: Any


class _Way(NamedTuple):
    """One direction: from where to where its segments are among all, and its data among the data of all.

    ``fin`` is the sequence number of its FIN, ``acknowledging`` the last segment that acknowledges; -1 without one.
    """

    first: int
    end: int
    data: int
    data_end: int
    fin: int
    acknowledging: int


class Whole:
    """The short connections of a batch, whose bytes are in *buffer*."""

    def __init__(self, numpy: Any, buffer: bytes, columns: Columns) -> None:
        self._numpy, self._buffer, self._of = numpy, buffer, columns
        low = (columns.source < columns.target)[columns.order]
        within = numpy.lexsort((low, columns.connection))
        self._rows = columns.order[within]
        connection = columns.connection[within]
        first = numpy.ones(len(self._rows), dtype=bool)
        first[1:] = (connection[1:] != connection[:-1]) | (low[within][1:] != low[within][:-1])
        self._first, self._begins = first, numpy.nonzero(first)[0]
        self._number = connection[self._begins]
        self._flags, self._sizes = columns.flags[self._rows], columns.sizes[self._rows]
        self._sequence = columns.sequence[self._rows]

    def connections(self) -> Iterator[tuple[_Way, _Way]]:
        """The two directions of each: that of the SYN, and the other."""
        numpy, begins, rows = self._numpy, self._begins, self._rows
        if len(begins) < 2:
            return
        ends = numpy.append(begins[1:], len(rows))
        odd = numpy.logical_or.reduceat(self._odd(), begins)
        # Two directions of one connection follow each other.
        pair = numpy.nonzero(self._number[1:] == self._number[:-1])[0]
        answers = (self._flags[begins] & _ACK) > 0
        one, other = numpy.where(answers[pair], pair + 1, pair), numpy.where(answers[pair], pair, pair + 1)
        fine = ~(odd[one] | odd[other]) & ~answers[one] & answers[other] & (ends[one] - begins[one] > 1)
        fine &= (rows[begins[one]] < rows[begins[other]]) & (ends[pair + 1] - begins[pair] <= MOST)
        carried = numpy.append(0, numpy.cumsum(self._sizes > 0))
        ways = numpy.stack((begins, ends, carried[begins], carried[ends], *self._lasts(ends)), axis=1)
        pairs = zip(ways[one[fine]].tolist(), ways[other[fine]].tolist(), strict=True)
        yield from ((_Way(*opening), _Way(*answering)) for opening, answering in pairs)

    def _odd(self) -> Any:
        """Which segments are out of order, or say what only reading one by one understands."""
        numpy, first, flags, sizes = self._numpy, self._first, self._flags, self._sizes
        fin, syn, rst, ack = ((flags & flag) > 0 for flag in (_FIN, _SYN, _RST, _ACK))
        ends = (self._sequence + sizes + syn + fin) & _RING
        data = sizes > 0
        odd = (first != syn) | (syn & (data | fin)) | ~(ack | first | rst) | (rst & (fin | syn | data))
        # Whatever the sequence number of a RST is, nothing but another follows.
        odd[1:] |= ~(first | rst)[1:] & (rst[:-1] | (ends[:-1] != self._sequence[1:]))
        # Data after a FIN.
        earlier = numpy.cumsum(fin) - fin
        counts = numpy.diff(numpy.append(self._begins, len(first)))
        return odd | (data & (earlier > numpy.repeat(earlier[self._begins], counts)))

    def _lasts(self, ends: Any) -> tuple[Any, Any]:
        """Of each direction the sequence number of its FIN, and its last segment that acknowledges; -1 without one."""
        numpy = self._numpy
        fins, acknowledging = (numpy.full(len(ends), -1, dtype=numpy.int64) for _ in range(2))
        at = numpy.nonzero(self._flags & _FIN)[0]
        fins[numpy.searchsorted(ends, at, side="right")] = self._sequence[at] + self._sizes[at]
        # Where several are assigned to one direction, the last one stays.
        at = numpy.nonzero(self._flags & _ACK)[0]
        acknowledging[numpy.searchsorted(ends, at, side="right")] = at
        return fins, acknowledging

    def read(self, wanted: Callable[[Key], bool]) -> Iterator[tuple[Key, Assembly]]:
        """Each connection of which *wanted* says of the key that it is to be read here."""
        of, rows = self._of, self._rows
        data = rows[self._sizes > 0]
        pieces = (of.payloads[data].tolist(), of.sizes[data].tolist(), of.times[data].tolist())
        source, times, acknowledged = of.source[rows].tolist(), of.times[rows].tolist(), of.acknowledged[rows].tolist()
        order, sequence, resets = rows.tolist(), self._sequence.tolist(), self._resets()
        self.taken = list[tuple[int, int]]()
        for opening, answering in self.connections():
            ends = [_end(source[way.first]) for way in (opening, answering)]
            key = (*ends[0], *ends[1]) if ends[0] <= ends[1] else (*ends[1], *ends[0])
            if not wanted(key):
                continue
            assembly = Assembly(ends[0], ends[1], times[opening.first])
            assembly.opener, assembly.acknowledged_syn = ends[0], True
            last, other = opening.end - 1, answering.end - 1
            assembly.last = times[last if order[last] > order[other] else other]
            for number in resets.get(min(opening.first, answering.first), ()):
                # The first of the two sides' that came.
                assembly.reset_by = ends[0] if opening.first <= number < opening.end else ends[1]
            for way, end in zip((opening, answering), ends, strict=True):
                direction = assembly.directions[end]
                self._side(direction, way, sequence[way.first], pieces)
                if way.acknowledging >= 0:
                    direction.acknowledged = acknowledged[way.acknowledging]
            self.taken.append((min(opening.first, answering.first), max(opening.end, answering.end)))
            yield key, assembly

    def _side(self, direction: Direction, way: _Way, syn: int, pieces: _Pieces) -> None:
        of = slice(way.data, way.data_end)
        starts, sizes, times = pieces[0][of], pieces[1][of], pieces[2][of]
        direction.syn, direction.fin = syn, way.fin if way.fin >= 0 else None
        direction.stream.synchronise(syn + 1)
        ends = list(accumulate(sizes))
        direction.stream.counted(way.end - way.first, ends[-1] if ends else 0)
        if ends:
            buffer = self._buffer
            text = b"".join([buffer[start : start + size] for start, size in zip(starts, sizes, strict=True)])
            direction.side.begin(text, ends, times)

    def _resets(self) -> dict[int, list[int]]:
        """The segments with RST of each connection, by where it begins; the one that came last comes first."""
        found = defaultdict[int, list[int]](list)
        changes = self._numpy.nonzero(self._number[1:] != self._number[:-1])[0] + 1
        begins = [0, *self._begins[changes].tolist()]
        for number in self._numpy.nonzero(self._flags & _RST)[0].tolist():
            found[begins[bisect_right(begins, number) - 1]].append(number)
        return {begin: sorted(numbers, key=lambda number: -int(self._rows[number])) for begin, numbers in found.items()}

    def rows(self) -> Any:
        """The rows of the connections that :meth:`read` gave."""
        numpy = self._numpy
        edges = numpy.zeros(len(self._rows) + 1, dtype=numpy.int64)
        if self.taken:
            first, end = numpy.array(self.taken).T
            numpy.add.at(edges, first, 1)
            numpy.add.at(edges, end, -1)
        return self._rows[numpy.cumsum(edges[:-1]) > 0]


def _end(number: int) -> tuple[bytes, int]:
    return (number >> 16).to_bytes(4, "big"), number & 0xFFFF
