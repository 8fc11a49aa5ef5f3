"""A run's own capture: one pcapng a case, and every case judged once more from packets.

``DIR/capture/run.pcap`` has everything that was captured, controls and twins as well; ``DIR/capture/CASE.pcapng`` the
connections of one case; ``DIR/capture/packets.jsonl`` what the packets show of each case.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from itertools import chain
from pathlib import Path

from harness.checks.agreement import Agreement, Pair, agreement, every_pair
from harness.config import Options
from harness.errors import UsageError
from harness.model.case import Case
from harness.model.catalogue import CataloguedClass
from harness.model.connection import Connection
from harness.model.record import Row
from harness.model.vocabulary import BROKEN, Grade
from harness.pki.private_files import private_file, private_folder
from harness.probes.packets import together
from harness.run.engine import Result
from harness.run.packets import Captured, PacketJudge, When, dropped_packets, lost, when
from harness.wire.packets import pcapng
from harness.wire.packets.capture import Capture
from harness.wire.packets.frames import Frames
from harness.wire.packets.packet import Packet
from harness.wire.packets.reader import read
from harness.wire.packets.recorder import Recorder, between_ephemeral_ports
from harness.wire.packets.table import Reading

FOLDER, WHOLE, AGAIN, INDEX, KEYS = "capture", "run.pcap", "again.pcap", "packets.jsonl", "keys.log"
_SHOWN = 3
Own = Mapping[Pair, Sequence[Connection]]
"""The connections of one case, by their ports."""
Send = Callable[[Iterable[Case], Callable[[Result], None]], None]


def started(options: Options, *, own_lab: bool) -> RunCapture | None:
    """The capture that *options* ask for, under way; raises :class:`UsageError` where it is not possible."""
    if options.keylog and not options.capture:
        raise UsageError("--keylog belongs to --capture")
    if options.keylog and not own_lab:
        raise UsageError("--keylog writes TLS secrets, which is for the labs alone", hint="leave out --keylog")
    if not options.capture:
        return None
    if options.target == "embedded":
        return RunCapture(options.report, "lo", keys=options.keylog, wanted=between_ephemeral_ports())
    # A service's port is fixed, and what a balancer connects to is known only once it is captured: all TCP.
    return RunCapture(options.report, "any", keys=options.keylog)


class RunCapture:
    """Captures from now on; :meth:`finish` writes what the cases' own packets show."""

    def __init__(self, report: Path, interface: str, *, keys: bool, wanted: str = "tcp") -> None:
        self._folder = report / FOLDER
        self._held: list[Result] = []
        try:
            shutil.rmtree(self._folder, ignore_errors=True)  # an earlier run's must not be taken for this one's
            private_folder(self._folder)
            self.keys = private_file(self._folder / KEYS, b"") if keys else None
        except OSError as error:
            raise UsageError(f"cannot write the capture: {error.strerror}", where=str(self._folder)) from error
        self._source = (interface, wanted)
        self._recorder = Recorder(self._folder / WHOLE, *self._source)
        self._dropped = 0
        self._when: dict[str, When] = {}

    def stop(self) -> None:
        """End the capture once what was sent until now is in it; raises :class:`LabError` if it is not."""
        self._recorder.stop()
        self._dropped += self._recorder.dropped

    def holds(self, result: Result) -> bool:
        """Whether *result*, which packets are to judge, is kept until they are all there."""
        if known := when(result):
            self._when[result.case.id] = known
        keeps = result.case.reads_packets and result.verdict.grade is not Grade.PACKETS
        if keeps:
            self._held.append(result)
        return keeps

    def judge(self, classes: Mapping[str, CataloguedClass], send: Send | None, done: Callable[[Result], None]) -> None:
        """Judge what was held, once the capture has ended; *done* gets each result.

        On a busy machine a capture loses packets: what it did not show is sent, and captured, once more.
        """
        if not self._held:
            return
        judged = list[Result]()
        PacketJudge(self.reading, classes, self._dropped).run(self._held, judged.append)
        unseen = list[Result]()
        for result in judged:
            (unseen.append if lost(result, self._dropped) else done)(result)
        if unseen and send is not None:
            self._once_more(unseen, classes, send, done)

    def _once_more(
        self,
        unseen: Sequence[Result],
        classes: Mapping[str, CataloguedClass],
        send: Send,
        done: Callable[[Result], None],
    ) -> None:
        held, before = list[Result](), self._dropped
        self._recorder = Recorder(self._folder / AGAIN, *self._source)
        try:
            send([result.case for result in unseen], held.append)
            self.stop()
        finally:
            self._recorder.end()
        second = read([str(self._recorder.file)])
        PacketJudge(second, classes, self._dropped - before).run(held, done)
        self.reading = together(self.reading, second)

    @cached_property
    def reading(self) -> Reading:
        """What was captured; to be asked for once the capture has ended."""
        return read([str(self._folder / WHOLE)])

    def finish(self, rows: Sequence[Row]) -> tuple[str, list[str]]:
        """Write the files; returns a sentence on all cases, and one for each on which packets and run differ."""
        reading = self.reading
        captured = Captured(reading.connections)
        own = {row["case"]: captured.near(every_pair(row["evidence"]), self._when.get(row["case"])) for row in rows}
        found = [agreement(row, own[row["case"]]) for row in rows]
        written = self._split(rows, own)
        lines = (json.dumps(_line(item, written)) for item in found)
        (self._folder / INDEX).write_text("".join(f"{line}\n" for line in lines), "utf-8")
        limits = [*reading.notes]
        if self._dropped:
            limits.append(dropped_packets(self._dropped))
        if reading.ended_early or reading.not_kept:
            limits.append("the capture was too large to be read whole")
        return "; ".join([_summary(found, len(written)), *limits]), _contradictions(_unexplained(found, rows))

    def _split(self, rows: Sequence[Row], own: Mapping[str, Own]) -> dict[str, str]:
        """A file for each case of which a connection was captured; returns their names."""
        owners: defaultdict[Pair, list[tuple[str, float, float]]] = defaultdict(list)
        for case, connections in own.items():
            for pair, found in connections.items():
                owners[pair] += [(case, item.started, item.ended) for item in found]
        packets: defaultdict[str, list[Packet]] = defaultdict(list)
        frames = Frames()
        files = [file for name in (WHOLE, AGAIN) if (file := self._folder / name).exists()]
        for packet in chain.from_iterable(Capture(str(file)) for file in files):
            segment = frames.segment(packet)
            if segment is not None:
                near, far = segment.source_port, segment.target_port
                for case, first, last in owners.get((near, far), []) or owners.get((far, near), []):
                    if first <= packet.time <= last:
                        packets[case].append(packet)
        secrets = self._secrets()
        written = {}
        for row in rows:
            case = row["case"]
            if case in packets:
                written[case] = f"{case.replace('/', '__')}.pcapng"
                opened = _hellos(own[case])
                keys = [line for line in secrets if line.split(" ", 2)[1] in opened]
                comment = f"{case}: {row['outcome']}: {row['reason']}"
                pcapng.write(self._folder / written[case], packets[case], comment, keys)
        return written

    def _secrets(self) -> list[str]:
        if self.keys is None:
            return []
        lines = self.keys.read_text("ascii", "replace").splitlines()
        return [line for line in lines if not line.startswith("#") and line.count(" ") == 2]


def _hellos(own: Own) -> set[str]:
    return {item.hello.random for item in chain.from_iterable(own.values()) if item.hello is not None}


def _line(item: Agreement, written: Mapping[str, str]) -> dict[str, object]:
    return {
        "case": item.case,
        "grade": str(Grade.PACKETS),
        "file": written.get(item.case),
        "passage": None if item.passage is None else str(item.passage),
        "why": item.why,
        "compared": list(item.compared),
        "contradictions": list(item.contradictions),
        "not_compared": item.missing,
    }


def _summary(found: Sequence[Agreement], files: int) -> str:
    compared = [item for item in found if not item.missing]
    facts = sum(len(item.compared) for item in compared)
    passages = Counter(str(item.passage) for item in compared if item.passage is not None)
    shown = ", ".join(f"{number} {name}" for name, number in sorted(passages.items()))
    text = f"packets: {files} cases have a capture of their own; in {len(compared)} of {len(found)} cases {facts} facts"
    text += " were observed live and on the wire"
    return f"{text}; at a balancer: {shown}" if shown else text


def _unexplained(found: Iterable[Agreement], rows: Sequence[Row]) -> list[Agreement]:
    """*found* without those on a flow and path of which a verdict from packets says already what is wrong."""
    broken = {(row["flow"], row["path"]) for row in rows if row["grade"] == Grade.PACKETS and row["outcome"] in BROKEN}
    explained = {row["case"] for row in rows if (row["flow"], row["path"]) in broken}
    return [item for item in found if item.case not in explained]


def _contradictions(found: Iterable[Agreement]) -> list[str]:
    wrong = [item for item in found if item.contradictions]
    lines = [
        f"{item.case}: the packets contradict the run: {'; '.join(item.contradictions)}" for item in wrong[:_SHOWN]
    ]
    return [*lines, *([f"and {len(wrong) - _SHOWN} more such cases"] if len(wrong) > _SHOWN else [])]
