"""Options: which source wins, and every value that is refused."""

from __future__ import annotations

import argparse
import dataclasses
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from harness import plugin
from harness.cli import _parser
from harness.config import FILE, OPTIONS, Options, Skip, refuse_former_names, resolve
from harness.errors import UsageError
from harness.model.vocabulary import Depth


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def written(folder: Path, text: str) -> Path:
    (folder / FILE).write_text(text, "utf-8")
    return folder


def test_built_in_values(folder: Path) -> None:
    assert resolve({}, folder) == Options()
    assert resolve({"depth": None, "only": None, "seed": None}, folder) == Options()
    assert (Options().depth, Options().seed, Options().report) == (Depth.QUICK, 0, Path("reports/latest"))


def test_file_before_built_in_and_flags_before_file(folder: Path) -> None:
    written(folder, 'depth = "full"\nseed = 5\nonly = ["FLW-5"]\nskip = ["JWT-3=later"]\nreport = "out"\nfault = "x"\n')
    assert resolve({}, folder) == Options(
        depth=Depth.FULL, seed=5, only=("FLW-5",), skip=(Skip("JWT-3", "later"),), report=Path("out"), fault="x"
    )
    found = resolve({"depth": "quick", "only": ["JWT-3"], "seed": 6}, folder)
    assert (found.depth, found.only, found.seed, found.fault) == (Depth.QUICK, ("JWT-3",), 6, "x")


def test_an_empty_list_is_a_value(folder: Path) -> None:
    written(folder, 'only = ["FLW-5"]')
    assert resolve({"only": []}, folder).only == ()


@pytest.mark.parametrize(
    "flags",
    [
        {"depth": "deep"},
        {"depth": ""},
        {"depth": 1},
        {"seed": -1},
        {"seed": 2**31},
        {"seed": "x"},
        {"seed": [1]},
        {"only": "FLW-5"},
        {"only": [1]},
        {"only": 5},
        {"skip": ["FLW-5"]},
        {"skip": ["FLW-5="]},
        {"skip": ["FLW-5=  "]},
        {"skip": ["=why"]},
        {"skip": "FLW-5=why"},
        {"target": 5},
        {"fault": ["a"]},
        {"report": 5},
        {"colour": "red"},
    ],
)
def test_refused(folder: Path, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(flags, folder)
    assert caught.value.exit_status == 2


@pytest.mark.parametrize(
    "text",
    [
        "depth = ",
        "colour = 'red'",
        "seed = 'five'",
        "only = 'FLW-5'",
        "depth = 'deep'",
        "skip = ['FLW-5']",
        "[run]\nseed=1",
    ],
)
def test_a_bad_file(folder: Path, text: str) -> None:
    with pytest.raises(UsageError):
        resolve({}, written(folder, text))


def test_a_file_that_is_no_text(folder: Path) -> None:
    (folder / FILE).write_bytes(b"seed = 1 # \xff")
    with pytest.raises(UsageError, match="cannot read the options"):
        resolve({}, folder)


def test_a_file_that_cannot_be_read(folder: Path) -> None:
    (folder / FILE).mkdir()
    with pytest.raises(UsageError, match=FILE):
        resolve({}, folder)


@pytest.mark.parametrize("flags", [{"seed": 1.9}, {"seed": True}, {"only": {"FLW-5": 1}}])
def test_a_value_of_another_type_is_not_bent(folder: Path, flags: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        resolve(flags, folder)


def test_a_skip_keeps_its_whole_reason() -> None:
    assert Skip.parse("*/mtls/*= a=b, for now ") == Skip("*/mtls/*", "a=b, for now")


def test_a_seed_is_chosen_once() -> None:
    chosen = {Options().seeded().seed for _ in range(20)}
    assert len(chosen) > 1 and all(0 < seed < 2**31 for seed in chosen)
    assert Options(seed=7).seeded().seed == 7


def test_the_largest_seed(folder: Path) -> None:
    assert resolve({"seed": 2**31 - 1}, folder).seed == 2**31 - 1


def test_the_former_name_of_the_options_file_is_refused(folder: Path) -> None:
    refuse_former_names(folder, {"HOPPROOF_DOCKER": "required", "FLOWPROOFS": "1"})
    (folder / "flowproof.toml").write_text('depth = "full"\n', "utf-8")
    with pytest.raises(UsageError, match="called Hopproof now") as refused:
        refuse_former_names(folder, {})
    assert "hopproof.toml" in refused.value.hint


def test_the_former_name_of_a_variable_is_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="FLOWPROOF_DOCKER is not read") as refused:
        refuse_former_names(folder, {"FLOWPROOF_DOCKER": "required"})
    assert refused.value.hint == "set HOPPROOF_DOCKER instead"


DOCUMENT = Path(__file__).parents[2] / "docs" / "options.md"
ROW = re.compile(r"^\| `--([\w-]+)` \| `(\w+)` \| `--hopproof-([\w-]+)` \| (.*) \|$", re.MULTILINE)


def test_the_table_has_every_option() -> None:
    assert {option.name for option in OPTIONS} == {field.name for field in dataclasses.fields(Options)} - {"keep"}


def test_the_command_line_has_every_option() -> None:
    verbs = next(action for action in _parser()._actions if isinstance(action, argparse._SubParsersAction))
    found = {action.dest: action for action in verbs.choices["run"]._actions}
    for option in OPTIONS:
        assert f"--{option.flag}" in found[option.name].option_strings
        assert (found[option.name].default, found[option.name].help) == (None, option.help)


def test_pytest_has_every_option() -> None:
    parser = pytest.Parser(_ispytest=True)
    plugin.pytest_addoption(parser)
    found = {name: option.dest for option in parser.getgroup("hopproof").options for name in option.names()}
    assert found == {f"--hopproof-{option.flag}": f"hopproof_{option.name}" for option in OPTIONS}


def test_the_document_has_every_option() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert ROW.findall(text) == [(item.flag, item.name, item.flag, item.help) for item in OPTIONS]


def test_the_documented_file_is_valid(folder: Path) -> None:
    text = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)[0]
    found = resolve({}, written(folder, text))
    assert (found.depth, found.seed, found.read_only) == (Depth.FULL, 7, True)
    assert set(tomllib.loads(text)) <= {option.name for option in OPTIONS}


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_a_bad_value_names_its_option(folder: Path, option: Any) -> None:
    with pytest.raises(UsageError, match=f"bad option: {option.name} must be "):
        resolve({option.name: {"a": 1}}, folder)
