"""Builds captures: real TLS conversations held in memory, packed into frames of every kind.

TLS is Python's own (OpenSSL), so what is read back is compared with what the two contexts were told to do.
"""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import dpkt
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa

from harness.pki.deployment import subject
from harness.pki.issue import Identity, Profile, dns_names, issue

HOST = "portal.example.test"
CLIENT, SERVER = ("10.0.0.1", 40000), ("10.0.0.2", 8443)
FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
Turns = list[tuple[bool, bytes]]
Segment = tuple[bool, int, int, int, bytes]


@cache
def authority() -> Identity:
    return issue(_profile("capture CA", constraints=x509.BasicConstraints(ca=True, path_length=None)))


@cache
def identity(name: str, with_rsa: bool = False) -> Identity:
    key = rsa.generate_private_key(65537, 2048) if with_rsa else None
    return issue(_profile(name, names=dns_names([HOST])), authority(), key=key)


def _profile(name: str, **more: Any) -> Profile:
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    return Profile(subject(name, "capture"), now - day, now + day, **more)


def context(folder: Path, who: Identity | None, server: bool) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    made.load_verify_locations(cadata=authority().pem().decode())
    if who is not None:
        file = folder / f"{id(who)}.pem"
        file.write_bytes(who.pem() + who.key_pem())
        made.load_cert_chain(file)
    return made


@dataclass
class Talk:
    """A TLS conversation in memory; ``turns`` are the bytes of each flight, and whether the client sent them."""

    client: ssl.SSLContext
    server: ssl.SSLContext
    session: ssl.SSLSession | None = None
    question: bytes = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
    answer: bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    name: str = HOST
    ask_later: bool = False

    def run(self) -> Turns:
        self.turns: Turns = []
        to_server, to_client, out, back = (ssl.MemoryBIO() for _ in range(4))
        self.channels = ((out, to_server, True), (back, to_client, False))
        client = self.client.wrap_bio(to_client, out, server_hostname=self.name, session=self.session)
        server = self.server.wrap_bio(to_server, back, server_side=True)
        try:
            self._shake(client, server)
            if self.question:
                self._ask(client, server)
        except ssl.SSLError:
            pass  # the conversation ends as it does on the wire: with an alert
        self._move()
        self.result = client.session if client.version() else None
        return self.turns

    def _move(self) -> None:
        for source, target, from_client in self.channels:
            if data := source.read():
                self.turns.append((from_client, data))
                target.write(data)

    def _shake(self, *sides: ssl.SSLObject) -> None:
        pending = list(sides)
        while pending:
            for side in list(pending):
                try:
                    side.do_handshake()
                    pending.remove(side)
                except ssl.SSLWantReadError:
                    pass
                self._move()

    def _ask(self, client: ssl.SSLObject, server: ssl.SSLObject) -> None:
        client.write(self.question)
        self._move()
        server.read()
        if self.ask_later:
            server.verify_client_post_handshake()
        server.write(self.answer)
        self._move()
        client.read()
        self._move()


@dataclass
class Frames:
    """Packs turns into TCP segments between two ends; ``segments`` are (from_client, sequence, ack, flags, bytes)."""

    client: tuple[str, int] = CLIENT
    server: tuple[str, int] = SERVER
    mss: int = 1400
    start: tuple[int, int] = (0xFFFFFF00, 0x7FFFFFFE)  # both wrap around or cross the middle of the ring

    def segments(self, turns: Iterable[tuple[bool, bytes]], close: bool = True) -> list[Segment]:
        at = [self.start[1] + 1, self.start[0] + 1]  # [server's, client's] next
        found: list[Segment] = [(True, self.start[0], 0, SYN, b""), (False, self.start[1], at[True], SYN | ACK, b"")]
        found.append((True, at[True], at[False], ACK, b""))
        for from_client, data in turns:
            for begin in range(0, len(data), self.mss):
                part = data[begin : begin + self.mss]
                found.append((from_client, at[from_client], at[not from_client], ACK | PSH, part))
                at[from_client] += len(part)
        if close:
            found.append((True, at[True], at[False], FIN | ACK, b""))
            found.append((False, at[False], at[True] + 1, FIN | ACK, b""))
        return found

    def tcp(self, segment: Segment) -> tuple[tuple[str, int], tuple[str, int], dpkt.tcp.TCP]:
        from_client, sequence, acknowledged, flags, data = segment
        source, target = (self.client, self.server) if from_client else (self.server, self.client)
        header = dpkt.tcp.TCP(
            sport=source[1], dport=target[1], seq=sequence % 2**32, ack=acknowledged % 2**32, flags=flags, data=data
        )
        return source, target, header

    def ip(self, segment: Segment) -> bytes:
        source, target, header = self.tcp(segment)
        one, other = (ipaddress.ip_address(end[0]).packed for end in (source, target))
        if len(one) == 16:
            return bytes(dpkt.ip6.IP6(src=one, dst=other, nxt=6, hlim=64, plen=len(header), data=header))
        return bytes(dpkt.ip.IP(src=one, dst=other, p=6, id=sum(header.data) & 0xFFFF, data=header))

    def all(self, turns: Iterable[tuple[bool, bytes]], close: bool = True) -> list[bytes]:
        return [self.ip(segment) for segment in self.segments(turns, close)]


def kind(packet: bytes) -> int:
    return 0x86DD if packet[0] >> 4 == 6 else 0x0800


def ethernet(packet: bytes, *tags: tuple[int, int]) -> bytes:
    head = b"\2" * 12 + b"".join(struct.pack("!HH", tag, number) for tag, number in tags)
    return head + struct.pack("!H", kind(packet)) + packet + b"\0" * max(0, 46 - len(packet))


def pcap(
    frames: Sequence[bytes], link: int = 1, order: str = "<", nanoseconds: bool = False, snaplen: int = 1 << 16
) -> bytes:
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    made = [struct.pack(f"{order}IHHiIII", magic, 2, 4, 0, 0, snaplen, link)]
    for number, frame in enumerate(frames):
        kept = frame[:snaplen]
        made.append(struct.pack(f"{order}IIII", 1700000000, number * 1000, len(kept), len(frame)) + kept)
    return b"".join(made)


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    body += b"\0" * (-len(body) % 4)
    size = struct.pack(f"{order}I", len(body) + 12)
    return struct.pack(f"{order}I", kind) + size + body + size


def pcapng(interfaces: Sequence[int], packets: Iterable[tuple[int, bytes]], order: str = "<") -> bytes:
    """*interfaces* are link types, *packets* (interface, frame); nanoseconds, as dumpcap writes them."""
    made = [block(0x0A0D0D0A, struct.pack(f"{order}IHHq", 0x1A2B3C4D, 1, 0, -1), order)]
    resolution = struct.pack(f"{order}HHBxxxHH", 9, 1, 9, 0, 0)
    made += [block(1, struct.pack(f"{order}HHI", link, 0, 0) + resolution, order) for link in interfaces]
    for number, (which, frame) in enumerate(packets):
        time = 1700000000 * 10**9 + number * 10**6
        head = struct.pack(f"{order}IIIII", which, time >> 32, time & 0xFFFFFFFF, len(frame), len(frame))
        made.append(block(6, head + frame, order))
    return b"".join(made)
