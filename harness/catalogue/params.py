"""Reads what cells say beside their place in the grid, above all the steps of a script.

Every key and every value is checked here: a misspelt one would leave a case that asks less than its row says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from harness.errors import CatalogueError
from harness.model import expectation, script, token_script
from harness.model.params import Params
from harness.model.vocabulary import Reason

_Enum = TypeVar("_Enum", bound=StrEnum)


@dataclass
class _Fields:
    """A mapping as it was written; remembers which of its keys were read."""

    where: str
    what: str
    written: Mapping[str, object]
    read: set[str] = field(default_factory=set)

    def error(self, text: str) -> CatalogueError:
        return CatalogueError(f"{self.what}: {text}", where=self.where)

    def get(self, key: str) -> object:
        self.read.add(key)
        return self.written.get(key)

    def text(self, key: str) -> str:
        value = self.get(key)
        if not isinstance(value, str) or not value:
            raise self.error(f"{key} must be a name, not {value!r}")
        return value

    def number(self, key: str) -> float:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
            raise self.error(f"{key} must be a number above 0, not {value!r}")
        return value

    def count(self, key: str) -> int:
        value = self.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            raise self.error(f"{key} must be an integer, not {value!r}")
        return value

    def choice(self, key: str, kind: type[_Enum]) -> _Enum:
        return self.one_of(kind, self.get(key), key)

    def one_of(self, kind: type[_Enum], value: object, key: str) -> _Enum:
        try:
            return kind(str(value))
        except ValueError:
            raise self.error(f"{key}: {value!r} is not one of {', '.join(kind)}") from None

    def listed(self, key: str) -> list[object]:
        value = self.get(key)
        if not isinstance(value, list) or not value:
            raise self.error(f"{key} must be a list of at least one item, not {value!r}")
        return value

    def reasons(self) -> tuple[Reason, ...]:
        key = "acceptable_reasons"
        return tuple(self.one_of(Reason, item, key) for item in self.listed(key))

    def action(self, key: str) -> script.Action:
        verb, _, part = self.text(key).partition(" ")
        return script.Action(self.one_of(script.Verb, verb, key), self.one_of(script.Part, part, key))

    def then(self) -> expectation.Expectation:
        value = self.get("then")
        if value == "refused":
            return expectation.MustBeRefused(self.reasons())
        if value != "served":
            raise self.error(f"then: {value!r} is not one of served, refused")
        return expectation.MustBeServed(
            self.choice("presents", expectation.Presented) if "presents" in self.written else None
        )

    def done(self) -> None:
        """Refuse parameters that were not read."""
        if unknown := set(self.written) - self.read:
            raise self.error(f"unknown key {min(map(str, unknown))!r}")


def _key_server(step: _Fields) -> script.Step:
    if (state := step.get("key-server")) not in ("up", "down"):
        raise step.error(f"key-server: {state!r} is not one of up, down")
    return script.SwitchKeyServer(state == "up")


def _under_load(step: _Fields) -> script.Step:
    if (restarts := step.get("restarts")) not in (None, False):
        raise step.error(f"restarts can only be false, not {restarts!r}")
    return script.UnderLoad(step.action("under_load"), step.number("outage_below"), undisturbed=restarts is False)


def _cut_off(step: _Fields) -> script.Step:
    if (then := step.get("then")) != "cut-off":
        raise step.error(f"then: {then!r} is not cut-off")
    return script.CutOff(step.action("cut_off"))


def _optional(step: _Fields, key: str) -> str:
    return step.text(key) if key in step.written else ""


def _mint(step: _Fields) -> script.Step:
    flaw = step.choice("flaw", token_script.Flaw) if "flaw" in step.written else token_script.Flaw.NONE
    claims = step.get("claims") or {}
    if not isinstance(claims, Mapping) or not all(isinstance(item, str) for item in claims.values()):
        raise step.error(f"claims must map names to texts, not {claims!r}")
    # The payload of one that is another token is that token: it names nobody itself.
    nested = step.choice("nesting", token_script.Nesting) if "nesting" in step.written else token_script.Nesting.CLAIM
    named = _optional if nested is token_script.Nesting.JWT else _Fields.text
    return token_script.Mint(
        name=step.text("mint"),
        issuer=step.text("issuer"),
        audience=named(step, "audience"),
        subject=named(step, "subject"),
        flaw=flaw,
        may_act=_optional(step, "may_act"),
        signed_by=_optional(step, "signed_by"),
        lifetime=step.count("lifetime") if "lifetime" in step.written else 300,
        act=tuple(map(str, step.listed("actors"))) if "actors" in step.written else (),
        claims=tuple((str(name), str(value)) for name, value in claims.items()),
        embeds=_optional(step, "embeds"),
        nesting=nested,
        encrypted_for=_optional(step, "encrypted_for"),
        bound_to=_optional(step, "bound_to"),
        key=_optional(step, "key"),
        kid=_optional(step, "kid"),
    )


def _exchange(step: _Fields) -> script.Step:
    change = step.get("change") or {}
    if not isinstance(change, Mapping) or not all(isinstance(item, str) for item in change.values()):
        raise step.error(f"change must map parameters to texts, not {change!r}")
    secret = step.choice("secret", token_script.ClientSecret) if "secret" in step.written else None
    then: token_script.Issued | token_script.ExchangeRefused | token_script.NotAnswered
    if "clear_text" in step.written:
        _true(step, "clear_text")
        then = token_script.NotAnswered()
    elif "errors" in step.written:
        then = token_script.ExchangeRefused(tuple(map(str, step.listed("errors"))))
    else:
        then = token_script.Issued(step.text("keeps"), step.text("actor"), _about(step), _optional(step, "after"))
    return token_script.Exchange(
        name=_optional(step, "as"),
        at=step.text("at"),
        client=step.text("client"),
        subject=step.text("exchange"),
        audience=step.text("audience"),
        then=then,
        secret=secret or token_script.ClientSecret.GOOD,
        certificate=_optional(step, "certificate"),
        change=tuple((str(key), str(value)) for key, value in change.items()),
        actor_token=_optional(step, "actor_token"),
    )


def _about(step: _Fields) -> frozenset[token_script.Aspect]:
    if "about" not in step.written:
        return frozenset(token_script.Aspect)
    return frozenset(step.one_of(token_script.Aspect, item, "about") for item in step.listed("about"))


def _call(step: _Fields) -> script.Step:
    token = step.get("call")
    name = token if isinstance(token, str) else ""
    return token_script.Call(name, step.then(), _optional(step, "server"), sealed=step.get("sealed") is True)


def _evidence(step: _Fields) -> script.Step:
    then = step.choice("then", token_script.Kept)
    return token_script.Evidence(step.text("evidence"), then, _optional(step, "call_with"), _optional(step, "of"))


def _introspect(step: _Fields) -> script.Step:
    outcomes = {"active": True, "not-active": False, "refused": None}
    if (then := step.text("then")) not in outcomes:
        raise step.error(f"then: {then!r} is not one of {', '.join(outcomes)}")
    secret = step.choice("secret", token_script.ClientSecret) if "secret" in step.written else None
    return token_script.Introspect(
        token=step.text("introspect"),
        at=step.text("at"),
        client=step.text("client"),
        then=outcomes[then],
        subject=_optional(step, "names"),
        secret=secret or token_script.ClientSecret.GOOD,
    )


def _obtain(step: _Fields) -> script.Step:
    return token_script.Obtain(
        name=step.text("obtain"),
        at=step.text("at"),
        client=step.text("client"),
        user=step.text("user"),
        resource=_optional(step, "resource"),
        altered=step.get("altered") is True,
    )


def _forward(step: _Fields) -> script.Step:
    token = step.get("forward")
    refused = "then" in step.written
    then: token_script.Arrives | expectation.MustBeRefused
    if refused:
        expected = step.then()
        if not isinstance(expected, expectation.MustBeRefused):
            raise step.error("then can only be refused; what arrives is said by issuer, audience, names and actor")
        then = expected
    else:
        then = token_script.Arrives(*(step.text(key) for key in ("issuer", "audience", "names", "actor")))
    unasked = tuple(map(str, step.listed("unasked"))) if refused else ()
    return token_script.Forward(token if isinstance(token, str) else "", step.text("at"), then, unasked)


_STEPS: Mapping[str, Callable[[_Fields], script.Step]] = {
    "request": lambda step: script.Request(step.choice("request", script.Signed), step.then()),
    "act": lambda step: script.Act(step.text("act"), step.then()),
    "advance": lambda step: script.Advance(step.number("advance")),
    "key-server": _key_server,
    "rotate": lambda step: script.Rotate(step.choice("rotate", script.Rotation)),
    "renew": lambda step: script.Renew(step.text("renew")),
    "register": lambda step: script.Register(step.text("register")),
    "fetches": lambda step: script.Fetches(step.count("fetches")),
    "operate": lambda step: script.Operate(step.action("operate")),
    "under_load": _under_load,
    "cut_off": _cut_off,
    "mint": _mint,
    "exchange": _exchange,
    "call": _call,
    "evidence": _evidence,
    "introspect": _introspect,
    "obtain": _obtain,
    "revoke": lambda step: token_script.Revoke(step.text("revoke"), step.text("at"), step.text("client")),
    "forward": _forward,
    "slow": lambda step: script.Slow(step.number("slow")),
}


def _step(number: int, written: object, where: str) -> script.Step:
    step = _Fields(where, f"step {number}", written if isinstance(written, Mapping) else {})
    kinds = [name for name in _STEPS if name in step.written]
    if len(kinds) != 1:
        raise step.error(f"expected one of {', '.join(_STEPS)}, not {written!r}")
    read = _STEPS[kinds[0]](step)
    step.done()
    return read


def _script(params: _Fields) -> tuple[script.Step, ...]:
    steps = params.listed("steps")
    return tuple(_step(number, step, params.where) for number, step in enumerate(steps, start=1))


def _statuses(params: _Fields) -> frozenset[int]:
    statuses = frozenset(item for item in params.listed("statuses") if isinstance(item, int) and 100 <= item <= 599)
    if len(statuses) != len(params.listed("statuses")):
        raise params.error(f"statuses must be different HTTP statuses, not {params.get('statuses')!r}")
    return statuses


def _true(params: _Fields, key: str) -> bool:
    if params.get(key) is not True:
        raise params.error(f"{key} can only be true, not {params.get(key)!r}")
    return True


def read_params(written: object, where: str) -> Params:
    """The ``params`` of a block of cells; raises :class:`CatalogueError` for whatever is not known."""
    if not isinstance(written, Mapping):
        raise CatalogueError(f"params must be a mapping, not {written!r}", where=where)
    params = _Fields(where, "params", written)
    found = Params(
        script=_script(params) if "steps" in written else (),
        variant=params.text("variant") if "variant" in written else "",
        path=params.text("path") if "path" in written else "",
        statuses=_statuses(params) if "statuses" in written else frozenset(),
        acceptable_reasons=params.reasons() if "acceptable_reasons" in written else (),
        names=tuple(map(str, params.listed("names"))) if "names" in written else (),
        compares_audience="compares_audience" in written and _true(params, "compares_audience"),
        combination="combination" in written and _true(params, "combination"),
        code=params.text("code") if "code" in written else "",
        challenge=params.text("challenge") if "challenge" in written else "",
        withheld_header=params.text("withheld_header") if "withheld_header" in written else "",
        rule=params.text("rule") if "rule" in written else "",
    )
    params.done()
    return found
