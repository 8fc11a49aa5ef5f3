"""Target files and flags broken in every way a person or an editor can: exit status 2 and a sentence, or it works."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from harness.cli import main
from harness.pki.deployment import Pki
from harness.products.registry import reference

GOOD = """\
product: {name: orders}
environment: test
servers:
  orders:
    url: https://orders.example.test:8443/api
    ca: ca.crt
    posture: both
client: {certificate: client.crt, key: client.key}
tokens: {none: true}
"""
SECRET = "hunter2-hunter2"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"

Change = tuple[str, str]


@pytest.fixture(scope="module")
def pki() -> Pki:
    return Pki.create(reference().pki)


@pytest.fixture
def folder(pki: Pki, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    identity = pki.secrets["portal-admin-client"]
    (tmp_path / "client.crt").write_bytes(identity.pem())
    (tmp_path / "client.key").write_bytes(identity.key_pem())
    (tmp_path / "ca.crt").write_bytes(pki.secrets["ingress-ca"].pem())
    (tmp_path / "empty").touch()
    (tmp_path / "directory").mkdir()
    (tmp_path / "garbage").write_bytes(bytes(range(256)) * 8)
    (tmp_path / "list.json").write_text("[1, 2]", "utf-8")
    (tmp_path / "half.json").write_text('{"keys": [{"kty": "RSA", "n": 5}]}', "utf-8")
    (tmp_path / "half.pem").write_bytes(identity.pem()[:300])
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (f"password: {SECRET}\n  key: {SECRET}\n", "(line 2)"),
        (f"a: [{SECRET}\nb: {SECRET}\n", "(line 2)"),
        (f"{SECRET}: 1\nb: {SECRET}\nb: 2\n", "duplicate key 'b' (line 3)"),
        (f"a: {SECRET}\x01\n", "(at character 19)"),
    ],
)
def test_what_is_not_yaml_is_one_sentence_without_the_text(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, where: str
) -> None:
    status, message = check(folder, text.encode(), capsys)
    assert (status, message.count("\n")) == (2, 1)
    assert where in message and SECRET not in message


def test_manifests_that_are_taken_for_a_target_file_are_told_from_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert "exports:target.yaml" in check(folder, b"kind: A\n---\nkind: B\n", capsys)[1]


def check(folder: Path, content: bytes, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    (folder / "target.yaml").write_bytes(content)
    status = main(["target", "check", "target.yaml"])
    message = capsys.readouterr()
    assert "Traceback" not in message.err
    return status, message.out + message.err


def changed(*changes: Change) -> bytes:
    text = GOOD
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return text.encode()


def url(text: str) -> Change:
    return ("https://orders.example.test:8443/api", text)


def test_the_good_one_is_good(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert check(folder, GOOD.encode(), capsys)[0] == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"\x00\x01\x02\xff", "not valid YAML"),
        (bytes(range(256)), "not valid YAML"),
        (b"- 1\n- 2\n", "is not of type 'object'"),
        (b"a: [1, 2", "not valid YAML"),
        (b"a: 1\na: 2\n", "duplicate key 'a'"),
        (b"? [a]\n: b\n", "a key that is a list or a mapping"),
        (b"a: &a\n  b: *a\n", "it contains itself"),
        (b"a: &a [*a]\n", "it contains itself"),
        (b"a: " + b"[" * 5000, "not valid YAML"),
        (b"a: !!python/object:os.system {}", "not valid YAML"),
        (
            b"a: &a [1,1,1,1,1,1,1,1,1,1]\n"
            + b"".join(b"%c: &%c [%s]\n" % (n, n, b",".join([b"*%c" % (n - 1)] * 10)) for n in range(98, 110)),
            "more than 100000 values",
        ),
        (b"- 1\n" * 100_001, "more than 100000 values"),
        (GOOD.encode("utf-8").replace(b"orders}", b"\xff\xfe}"), "not valid YAML"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_no_target_file(folder: Path, content: bytes, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, text = check(folder, content, capsys)
    assert status == 2
    assert said in text
    assert len(text) < 1000


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ([url("https://orders.example.test:99999/")], "Port out of range"),
        ([url("https://orders.example.test:0/")], "0 is not a valid port"),
        ([url("https://orders.example.test:port/")], "servers.orders.url"),
        ([url('"https://[::1/"')], "Invalid IPv6 URL"),
        ([url('"https://:8443/"')], "'' is not a valid host name"),
        ([url("https://a..b/")], "'a..b' is not a valid host name"),
        ([url(f"https://{'a' * 70}.test/")], "is not a valid host name"),
        ([url("https://b\u00fccher.example/")], "xn--bcher-kva.example"),
        ([url(f"https://user:{SECRET}@host/")], "servers.orders.url"),
        ([url("https://orders.example.test/\u20ac")], "is not a valid path"),
        ([url('"https://orders.example.test/a b"')], "servers.orders"),
        ([("ca: ca.crt", "ca: ca.crt\n    connect: localhost")], "servers.orders.connect"),
        ([("ca: ca.crt", "ca: ca.crt\n    connect: localhost:70000")], "70000 is not a valid port"),
        ([("ca: ca.crt", "ca: ca.crt\n    connect: 8443")], "servers.orders.connect"),
        ([("ca: ca.crt", 'ca: ca.crt\n    request: {path: "/x\\r\\nX-Admin: 1"}')], "is not a valid path"),
        ([("ca: ca.crt", 'ca: ca.crt\n    request: {success: "200"}')], "request.success"),
        ([("ca: ca.crt", "ca: ca.crt\n    subject: nonsense")], "not an RFC 4514 DN"),
        ([("ca: ca.crt", "ca: missing.crt")], "servers.orders.ca: No such file"),
        ([("ca: ca.crt", "ca: directory")], "servers.orders.ca"),
        ([("ca: ca.crt", "ca: garbage")], "no certificate in PEM"),
        ([("ca: ca.crt", "ca: empty")], "no certificate in PEM"),
        ([("ca: ca.crt", "ca: 5")], "servers.orders.ca"),
        ([("certificate: client.crt", "certificate: directory")], "client.certificate"),
        ([("certificate: client.crt", "certificate: garbage")], "client.certificate has no usable PEM certificate"),
        ([("certificate: client.crt", "certificate: half.pem")], "client.certificate has no usable PEM certificate"),
        ([("certificate: client.crt", "certificate: expired.crt")], "client.certificate expired on "),
        ([("key: client.key", "key: garbage")], "client.key holds no PEM private key"),
        ([("key: client.key", "key: [client.key]")], "client.key"),
        ([("key: client.key", f"key: client.key, key_password: {SECRET}")], "client.key_password"),
        ([("key: client.key", f"key: client.key, ca: ca.crt, ca_key: {{password: {SECRET}}}")], "client.ca_key"),
        ([("{none: true}", "{none: false}")], "tokens"),
        ([("{none: true}", "[none]")], "tokens"),
        ([("{none: true}", f"{{captured: {JWT}}}")], "a key or token is in the file itself"),
        ([("{none: true}", '{captured: "-----BEGIN PRIVATE KEY-----"}')], "a key or token is in the file"),
        ([("{none: true}", f"{{captured: {{text: {SECRET}}}}}")], "tokens.captured"),
        ([("{none: true}", "{captured: empty}")], "tokens.captured is empty"),
        ([("{none: true}", "{captured: garbage}")], "tokens.captured is not a bearer token"),
        ([("{none: true}", '{captured: {env: ""}}')], "tokens.captured"),
        ([("{none: true}", "{command: ./missing}")], "tokens.command"),
        ([("{none: true}", "{signing_key: client.key, algorithms: [RS256]}")], "cannot sign with"),
        ([("{none: true}", "{none: true, keys: list.json}")], "tokens.keys has no usable JWK set"),
        ([("{none: true}", "{none: true, keys: half.json}")], "tokens.keys has no usable JWK set"),
        ([("{none: true}", "{none: true, keys: directory}")], "tokens.keys has no usable JWK set"),
        ([("{none: true}", "{none: true, claims: {exp: 2030-01-01}}")], "tokens.claims: only JSON values"),
        ([("{none: true}", "{none: true, lifetime: 1e3}")], "tokens.lifetime"),
        ([("environment: test", "environment: test\nrate: .nan")], ".nan is not a finite number"),
        ([("environment: test", f"environment: test\nrate: {'9' * 5000}")], "not valid YAML"),
        ([("environment: test", "environment: test\nrate: 1e300")], "rate"),
        ([("environment: test", "environment: test\nfeatures: {claimed: [jwtt]}")], "unknown feature 'jwtt'"),
        ([("orders:\n    url", "Orders Service:\n    url")], "servers"),
        ([("name: orders}", "name: 5}")], "product.name"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_a_target_file_cannot_say(
    folder: Path, pki: Pki, changes: list[Change], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    old = Pki.create(reference().pki, now=datetime.now(UTC) - timedelta(days=3000), signing_key=pki.signing_key)
    (folder / "expired.crt").write_bytes(old.secrets["portal-admin-client"].pem())
    status, text = check(folder, changed(*changes), capsys)
    assert status == 2
    assert said in text
    assert SECRET not in text and JWT[-20:] not in text


def test_all_mistakes_are_reported_at_once(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changes = [
        ("environment: test", "environment: staging"),
        ("posture: both", "posture: mtls\n    path: terminating"),
        ("ca: ca.crt", "ca: missing.crt"),
        ("certificate: client.crt, key: client.key", "certificate: gone.crt, key: gone.key"),
        ("{none: true}", "{captured: empty}"),
        ("environment: staging", "environment: staging\nfeatures: {claimed: [jwtt, mtlss]}\nrate: fast"),
    ]
    text = GOOD
    for old, new in changes:
        text = text.replace(old, new)
    status, message = check(folder, text.encode(), capsys)
    assert status == 2
    requested: tuple[str, ...] = (
        "environment: 'staging' is not one of",
        "rate: 'fast'",
        "FLW-3",
        "servers.orders.ca: No such file",
    )
    requested += ("gone.crt: cannot read client.certificate", "gone.key: cannot read client.key")
    requested += ("tokens.captured is empty", "unknown feature 'jwtt'", "unknown feature 'mtlss'", "9 mistakes")
    assert [part for part in requested if part not in message] == []
    assert message.count("try:") >= 5


def test_what_is_right_is_still_looked_at_beside_what_is_not(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    more = (
        '  other: {url: "https://a.test", ca: missing.crt, posture: open}\n'
        '  third: {url: "https://b.test", posture: jwt, ca: garbage}\n'
    )
    status, message = check(folder, GOOD.replace("client: {", f"{more}client: {{").encode(), capsys)
    assert status == 2
    assert "servers.other.posture: 'open'" in message and "servers.third.ca: no certificate in PEM" in message
    assert "2 mistakes" in message


@pytest.mark.parametrize("where", ["target check", "--url", "--url and --ca"])
def test_plain_http_gets_a_sentence(folder: Path, where: str, capsys: pytest.CaptureFixture[str]) -> None:
    if where == "target check":
        status, message = check(folder, changed(url("http://orders.example.test/api")), capsys)
    else:
        given = ["--ca", "ca.crt"] if "--ca" in where else []
        status, message = main(["run", "--url", "http://orders.example.test/", *given]), capsys.readouterr().err
    assert status == 2
    assert "plain HTTP cannot be judged" in message and "STS-11" in message


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("\n", "\r\n").encode(),
        lambda text: b"\xef\xbb\xbf" + text.encode(),
        lambda text: text.encode("utf-16"),
        lambda text: text.replace("https://orders.example.test:8443/api", '"https://[::1]:8443/api"').encode(),
        lambda text: text.replace("ca: ca.crt", 'ca: ca.crt\n    connect: "[::1]:8443"').encode(),
        lambda text: text.replace("ca: ca.crt", "ca: ca.crt\n    connect: 10.0.0.7:8443").encode(),
        lambda text: text.replace("orders.example.test:8443", "XN--BCHER-KVA.example").encode(),
        lambda text: text.replace("client: {", "client: &c {").encode() + b"features: {}\n",
        lambda text: ("\n" * 1000 + text).encode(),
    ],
    ids=["CRLF", "BOM", "UTF-16", "IPv6", "IPv6 connect", "IPv4 connect", "A-label", "anchor", "blank lines"],
)
def test_what_is_odd_and_works(
    folder: Path, change: Callable[[str], bytes], capsys: pytest.CaptureFixture[str]
) -> None:
    status, text = check(folder, change(GOOD), capsys)
    assert (status, "that apply" in text) == (0, True), text


@pytest.mark.parametrize(
    "arguments",
    [
        ["--target", "directory/"],
        ["--target", "garbage.yaml"],
        ["--target", ""],
        ["--url", "", "--ca", "ca.crt"],
        ["--url", ""],
        ["--url", "orders.example.test"],
        ["--url", "http://orders.example.test", "--ca", "ca.crt"],
        ["--url", "https://orders.example.test", "--ca", ""],
        ["--url", "https://orders.example.test", "--ca", "directory"],
        ["--url", "https://orders.example.test", "--ca", "garbage"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--connect", "nowhere"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--connect", "nowhere:port"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--cert", "client.crt"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--cert", "client.crt", "--key", "directory"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--jwks", "directory"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--jwks", "list.json"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--token-env", "HOPPROOF_TEST_UNSET"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--report", "garbage"],
        ["--url", "https://orders.example.test", "--ca", "ca.crt", "--report", "garbage/under"],
        ["--expected", "directory"],
        ["--expected", "garbage"],
        ["--only", ""],
        ["--skip", "x"],
    ],
    ids=" ".join,
)
def test_flags_that_cannot_be(folder: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "garbage.yaml").write_bytes(bytes(range(256)))
    assert main(["run", *arguments, "--dry-run"]) == 2
    message = capsys.readouterr()
    assert message.err.startswith("hopproof: ")
    assert "Traceback" not in message.err
