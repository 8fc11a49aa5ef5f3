"""Reads whole captures into connections."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from harness.wire.packets.batch import Batches
from harness.wire.packets.capture import Capture
from harness.wire.packets.frames import Frames
from harness.wire.packets.table import MAX_KEPT, MAX_OPEN, Reading, Table


def read(names: Iterable[str], max_open: int = MAX_OPEN, max_kept: int = MAX_KEPT) -> Reading:
    """The connections in the captures *names*, each read by itself; raises ``UsageError`` for an unreadable one."""
    return read_captures((Capture(name) for name in names), max_open, max_kept)


def read_captures(captures: Iterable[Capture], max_open: int = MAX_OPEN, max_kept: int = MAX_KEPT) -> Reading:
    """The connections in *captures*."""
    reading = Reading()
    with _no_collection():
        for capture in captures:
            _read_one(capture, reading, max_open, max_kept)
            reading.notes.extend(f"{capture.name}: {note}" for note in capture.notes)
    reading.connections.sort(key=lambda item: item.started)
    return reading


@contextmanager
def _no_collection() -> Iterator[None]:
    """What is read makes many objects and no cycles: looking for cycles takes a quarter of the time and finds none."""
    before = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if before:
            # Moves what was made to the oldest generation: otherwise the next allocation would search all of it.
            gc.freeze()
            gc.unfreeze()
            gc.enable()


def _read_one(capture: Capture, reading: Reading, max_open: int, max_kept: int) -> None:
    table, frames = Table(capture.name, reading, max_open, max_kept), Frames()
    batches, packets, segments = Batches(table, frames), 0, 0
    for batch in capture.batches():
        if not packets:
            reading.first = _earliest(reading.first, batch.packet(batch.starts[0]).time)
        packets += len(batch.starts)
        segments += batches.take(batch)
        last = batch.packet(batch.starts[-1]).time
    table.close()
    if packets:
        reading.last = last if reading.last is None else max(reading.last, last)
    reading.packets += packets
    reading.segments += segments
    reading.left_out += frames.left_out
    if frames.unfinished:
        reading.left_out["datagrams of which a fragment never came"] += frames.unfinished


def _earliest(known: float | None, time: float) -> float:
    return time if known is None else min(known, time)
