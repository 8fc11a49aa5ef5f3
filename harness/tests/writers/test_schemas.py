"""SARIF and JUnit against the schemas of those who read them; ``schemas/README.md`` says whose."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from lxml import etree

from harness import paths
from harness.decode.exported_certificates import collect
from harness.model.finding import Judgement, Severity
from harness.model.resource import Unread
from harness.model.vocabulary import Outcome
from harness.probes import manifests
from harness.products.registry import file_rules, product_of_files
from harness.products.rules import Question
from harness.tests.builders import footer, row
from harness.writers import file_findings, junit

SCHEMAS = Path(__file__).parent / "schemas"
FILES = [file for name in ("exports", "exports-apk") for file in sorted((paths.FIXTURES / name).glob("broken/*.yaml"))]
UNREAD = [Unread("cut\x1b.yaml", 3, "not valid YAML: \x00 & <\ud7ff>"), Unread("a b/ä.yaml", 1, "a template", False)]


@cache
def sarif_schema() -> jsonschema.Draft4Validator:
    schema = json.loads((SCHEMAS / "sarif-2.1.0.json").read_text("utf-8"))
    return jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker())


@cache
def junit_schema() -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(SCHEMAS / "junit-10.xsd"))


def judged(file: Path) -> tuple[Judgement, file_findings.Sources]:
    files = manifests.load([str(file)])
    rules = file_rules()[product_of_files(files)]
    return rules.lint(Question(files, collect(files), datetime.now(UTC))), rules.sources


def wrong_sarif(text: str) -> list[str]:
    return [error.message for error in sarif_schema().iter_errors(json.loads(text))]


def wrong_junit(text: str) -> list[str]:
    schema = junit_schema()
    schema.validate(etree.fromstring(text.encode()))
    return [error.message for error in schema.error_log]


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parents[1].name}-{file.stem}")
def test_findings_on_files(file: Path) -> None:
    judgement, sources = judged(file)
    assert judgement.findings
    assert wrong_sarif(file_findings.sarif(judgement, sources, UNREAD, manifests.text_of)) == []
    for fail_on in (Severity.ERROR, Severity.WARNING):
        assert wrong_junit(file_findings.junit(judgement, sources, UNREAD, fail_on)) == []


def test_nothing_found() -> None:
    judgement, sources = judged(paths.FIXTURES / "exports" / "sound" / "kubernetes")
    assert judgement.findings == []
    assert wrong_sarif(file_findings.sarif(judgement, sources, [], manifests.text_of)) == []
    assert wrong_junit(file_findings.junit(judgement, sources, [], Severity.ERROR)) == []


def test_a_file_has_a_fix_where_its_position_is_known() -> None:
    judgement, sources = judged(paths.FIXTURES / "exports" / "broken" / "CFG-1.yaml")
    (result,) = json.loads(file_findings.sarif(judgement, sources, [], manifests.text_of))["runs"][0]["results"]
    (change,) = result["fixes"][0]["artifactChanges"]
    assert change["artifactLocation"] == result["locations"][0]["physicalLocation"]["artifactLocation"]
    assert change["replacements"] == [
        {
            "deletedRegion": {"startLine": 7, "startColumn": 23, "endColumn": 28},
            "insertedContent": {"text": "true"},
        }
    ]


def test_the_rows_of_a_run(tmp_path: Path) -> None:
    reason = "\x1b[31m <&> \ud83d"
    rows = [row(f"flows/REQ-{n}/a/mtls/direct/good", str(outcome), reason=reason) for n, outcome in enumerate(Outcome)]
    text = junit.write(tmp_path, rows, footer()).read_text("utf-8")
    assert wrong_junit(text) == []


def test_the_schemas_refuse_what_is_wrong() -> None:
    judgement, sources = judged(FILES[0])
    log = json.loads(file_findings.sarif(judgement, sources, [], manifests.text_of))
    log["runs"][0]["results"][0]["fix"] = {}
    assert wrong_sarif(json.dumps(log))
    assert wrong_junit('<?xml version="1.0"?><testsuites><testcase name="x"/></testsuites>')
