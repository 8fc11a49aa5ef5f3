"""Manifests keep their lines, whatever writes them, and hostile ones end in a message with a line."""

from __future__ import annotations

import base64
import copy
import random
import sys
from typing import Any

import pytest
import yaml

from harness import paths
from harness.decode.exported_certificates import collect
from harness.decode.manifests import MOST_NODES, read
from harness.model.resource import Files
from harness.products.apic.rules import certificates, lint
from harness.tests.exports import Deployment, authority, question, secret

OBJECT = "apiVersion: v1\nkind: Thing\nmetadata: {name: a, namespace: b}\n"


def test_lines_and_values() -> None:
    found, unread = read(f"# first\n{OBJECT}spec:\n  on: yes\n  text: 'yes'\n  number: 07\n  none: ~\n".encode(), "f")
    assert unread == []
    root = found[0].root
    assert (found[0].label, root.line_of("spec", "text"), root.line_of("spec", "missing")) == ("Thing b/a", 7, 6)
    assert root.flag("spec", "on") is True and root.text("spec", "text") == "yes"
    nothing = root.at("spec", "none")
    assert root.text("spec", "number") == "07" and nothing is not None and nothing.value is None


def test_streams_lists_json_and_byte_order_marks() -> None:
    item = '{"apiVersion": "v1", "kind": "Thing", "metadata": {"name": "\\ud83d\\ude00"}}'
    text = f'{{"apiVersion": "v1",\n\t"kind": "ThingList", "items": [{item},\n{item}]}}'
    found, unread = read(b"\xef\xbb\xbf" + text.encode(), "f")
    assert unread == [] and [(each.name, each.root.line) for each in found] == [("\U0001f600", 2), ("\U0001f600", 3)]
    assert len(read(f"{OBJECT}---\n{OBJECT}---\n---\n# nothing\n".encode(), "f")[0]) == 2
    assert len(read(OBJECT.encode("utf-16"), "f")[0]) == 1


def test_aliases_and_merges() -> None:
    text = f"{OBJECT}base: &base {{a: one, b: two}}\nspec: {{<<: *base, b: three}}\nagain: *base\n"
    root = read(text.encode(), "f")[0][0].root
    assert (root.text("spec", "a"), root.text("spec", "b"), root.text("again", "b")) == ("one", "three", "two")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        (f"{OBJECT}a: [1\n", 5, "not valid YAML"),
        (f"{OBJECT}a: 1\na: 2\n", 5, "stands twice"),
        (f"{OBJECT}a: *b\n", 4, "is undefined"),
        (f"{OBJECT}a: &a [*a]\n", 4, "a node that contains it"),
        (f"{OBJECT}? [a]\n: b\n", 4, "a key that is a list"),
        (f"{OBJECT}a: !!python/object/apply:os.system [true]\n", 4, "a YAML tag"),
        (f"{OBJECT}a: !vault x\n", 4, "a YAML tag"),
        (f"{OBJECT}a:\n{'- ' * 200}x\n", 5, "nested deeper"),
        (f"{OBJECT}a: {'[' * 5000}\n", 4, "nest"),
        (f"{OBJECT}a: \x01\n", 1, "not valid YAML"),
        (OBJECT.encode() + b"\xff\xfe\xfa", 1, "not valid YAML"),
    ],
)
def test_what_cannot_be_read_says_where(text: str | bytes, line: int, words: str) -> None:
    _, unread = read(text.encode() if isinstance(text, str) else text, "f")
    assert [(each.line, each.matters) for each in unread] == [(line, True)]
    assert words in unread[0].message


def test_what_stands_before_a_mistake_is_kept() -> None:
    found, unread = read(f"{OBJECT}---\n{{\n".encode(), "f")
    assert len(found) == 1 and len(unread) == 1


@pytest.mark.parametrize("text", ["{{- if .Values.x }}\napiVersion: v1\n", "listeners: @x\n"])
def test_templates_and_other_files_do_not_matter(text: str) -> None:
    _, unread = read(text.encode(), "f")
    assert [each.matters for each in unread] == [False]


def test_aliases_of_aliases_stay_small() -> None:
    bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
    bomb += "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 40))
    found, unread = read(f"{OBJECT}{bomb}".encode(), "f")
    assert len(found) == 1 and unread == [] and found[0].root.digest()


def test_lists_of_lists_of_aliases_are_bounded() -> None:
    item = "&o {apiVersion: v1, kind: Thing}"
    inner = f"&l {{apiVersion: v1, kind: List, items: [{item}{', *o' * 999}]}}"
    text = f"apiVersion: v1\nkind: List\nitems: [{inner}{', *l' * 999}]\n"
    _, unread = read(text.encode(), "f")
    assert "more than" in unread[0].message


def test_merges_count_as_values(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[read.__module__], "MOST_NODES", 300)
    base = ", ".join(f"k{n}: 1" for n in range(100))
    _, unread = read(f"{OBJECT}a: &a {{{base}}}\nb: {{<<: *a}}\nc: {{<<: *a}}\n".encode(), "f")
    assert "more than" in unread[0].message and MOST_NODES > 300


def test_no_key_is_looked_at() -> None:
    ca = authority()
    text = Deployment(ca).text()
    files = Files(read(text.encode(), "f")[0])
    assert {held.entry for held in collect(files).held} == {"tls.crt", "ca.crt"}
    spoilt = text.replace("tls.key:", "tls.key: '%%' #")
    assert collect(Files(read(spoilt.encode(), "f")[0])).unread == []


@pytest.mark.parametrize(
    ("content", "words"),
    [("%%%", "not valid base64"), (base64.b64encode(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----")
      .decode(), "cannot be read")],
)  # fmt: skip
def test_certificates_that_are_none(content: str, words: str) -> None:
    made = secret("portal-admin", authority(), authority())
    text = f"apiVersion: v1\nkind: Secret\nmetadata: {made['metadata']}\ndata:\n  tls.crt: '{content}'\n"
    found = collect(Files(read(text.encode(), "f")[0]))
    assert found.held == [] and words in found.unread[0].message and found.unread[0].line == 5


_PIECES = [
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"!!python/x ",
    b"---\n",
    b"- ",
    b"{",
    b"[",
    b"'",
    b'"',
    b"\t",
    b"\xff",
    b"\n",
    b": ",
    b"? ",
]


def _mutated(source: bytes, chance: random.Random) -> bytes:
    text = bytearray(source)
    for _ in range(chance.randint(1, 2)):
        at = chance.randrange(len(text) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            text[at : at + chance.randint(1, 40)] = b""
        elif kind == 1:
            text[at:at] = chance.choice(_PIECES)
        elif kind == 2:
            start = chance.randrange(len(text) + 1)
            text[at:at] = text[start : start + chance.randint(1, 80)]
        elif at < len(text):
            text[at] = chance.randrange(256)
    return bytes(text)


ODD: list[Any] = [
    None,
    True,
    "",
    "x",
    7,
    1.5,
    [],
    {},
    [None],
    [[]],
    {"x": None},
    "a" * 300,
    "\u2028",
    "https://[",
    "$X",
    "10.0.x",
    "CN",
]


def _altered(documents: list[Any], chance: random.Random) -> bytes:
    """*documents* with values of other kinds here and there: they stay YAML."""
    changed = copy.deepcopy(documents)
    for _ in range(chance.randint(1, 6)):
        node: Any = changed
        while True:
            key = chance.choice(list(node) if isinstance(node, dict) else range(len(node)))
            if not node[key] or not isinstance(node[key], dict | list) or chance.random() < 0.15:
                node[key] = chance.choice(ODD)
                break
            node = node[key]
        changed = [document for document in changed if document] or copy.deepcopy(documents)
    return yaml.dump_all(changed, Dumper=yaml.CSafeDumper, sort_keys=False).encode()


def _judged(data: bytes) -> int:
    asked = question(data)
    certificates(asked)
    return len(lint(asked).checked)


@pytest.fixture(scope="module")
def sources() -> list[bytes]:
    files = [file.read_bytes() for file in sorted((paths.FIXTURES / "exports").rglob("*.yaml"))]
    return [*files, Deployment().text().encode()]


def test_mutated_text_ends_without_a_traceback(sources: list[bytes]) -> None:
    chance = random.Random(12)
    assert sum(_judged(_mutated(chance.choice(sources), chance)) for _ in range(2000)) > 3000


def test_values_of_other_kinds_end_without_a_traceback(sources: list[bytes]) -> None:
    chance = random.Random(21)
    loaded = [list(yaml.load_all(source, Loader=yaml.CSafeLoader)) for source in sources]
    assert sum(_judged(_altered(chance.choice(loaded), chance)) for _ in range(2000)) > 4000


@pytest.mark.parametrize(
    "word", ["~", "", "null", "NULL", "nUll", "yes", "Yes", "yES", "No", "on", "OFF", "y", "true", "TRUE", "1", "0x1"]
)
def test_plain_words_are_what_pyyaml_takes_them_for(word: str) -> None:
    found = read(f"kind: K\napiVersion: v1\nvalue: {word}\n".encode(), "a.yaml")[0][0].root.at("value")
    taken = yaml.safe_load(f"value: {word}")["value"]
    assert found is not None and found.value == (taken if taken is None or isinstance(taken, bool) else word)
