"""A target file as something a run can judge: which cases apply to it, why the others do not, and a bench on it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path as FilePath

from harness.catalogue import Catalogue
from harness.catalogue.registry import catalogue as registered_catalogue
from harness.catalogue.widen import asked_by, widened
from harness.errors import CannotJudge, UsageError, refuse
from harness.model.case import Case
from harness.model.catalogue import Cells, Flow, Requirement
from harness.model.claims import Claim, Protection
from harness.model.observations import Observations
from harness.model.params import Params
from harness.model.vocabulary import Level, Path
from harness.pki.issue import Identity
from harness.probes.intrusiveness import intrusiveness, is_safe
from harness.probes.live import Bench, paced
from harness.probes.transports import TRANSPORTS
from harness.stimuli.certificates import authorities_below
from harness.stimuli.partial import PartialPki, PartialStimuli
from harness.stimuli.registry import Intrusiveness, Need
from harness.stimuli.tokens import TOKEN_CLASSES
from harness.targets import builtin, curl, exchange_cases
from harness.targets import file as target_file
from harness.targets.builtin import Target
from harness.targets.check import mistakes as mistakes_of
from harness.targets.credentials import ANYBODY, by_name, open_clients
from harness.targets.dialects import dialect_of
from harness.targets.external import ExternalLab, Pace
from harness.targets.file import TargetFile
from harness.targets.flows import requested, server_of, service, stand_ins
from harness.targets.gateways import Asked, gateways, profile_of, protected_by
from harness.targets.given import needs_of, not_given
from harness.targets.patience import Patience
from harness.targets.preflight import Preflight, look_at
from harness.targets.token_client import token_client_of
from harness.targets.token_issuer import open_token_issuer
from harness.wire.send import Prepared

# What holds for any service in a posture, whatever the product: its own documents are not asked of a stranger.
_ANY_AREA = frozenset({"tokens", "chains", "bypass"})
_ANY_REQUIREMENT = frozenset(
    {"FLW-0", "FLW-2", "FLW-5", "FLW-5-CERTIFICATE", "FLW-3-PACKETS", "FLW-4-PACKETS", "STS-11-PACKETS"}
)
# What a service agrees to with its issuer only the target file can tell: without it, these say what RFC 8725 advises.
_AGREED = TOKEN_CLASSES.needing(Need.ALGORITHMS)
_KEY_SERVER = TRANSPORTS.needing(Need.KEY_SERVER)
_NOT_AGREED = (
    "The target file does not say which algorithms the service accepts "
    "(tokens.algorithms), so this is a recommendation."
)
_ASKED_FOR = "check audience, resource or scope in tokens.endpoint.form, and how the token endpoint uses them"


@dataclass(frozen=True)
class Deployment:
    """A checked target file.

    ``keep`` names a case, and the folder that takes what a line of curl needs to repeat it: its token, its certificate.
    ``rooms`` says, by endpoint, how many CAs there may be below the client's.
    """

    file: TargetFile
    keep: tuple[str, FilePath] | None = None
    wait: bool = False
    rooms: Mapping[str, int | None] = field(default_factory=dict)

    @classmethod
    def load(cls, path: FilePath, read_only: bool = False, profile: str = "") -> Deployment:
        """Read and check *path*: schema, contradictions, files; raises :class:`UsageError` with all that is wrong."""
        file, mistakes = target_file.examine(target_file.load(path), path)
        if file is not None:
            file = replace(file, profile=profile or file.profile)
            mistakes += mistakes_of(file, registered_catalogue().flows, registered_catalogue().features)
        refuse(mistakes, str(path))
        assert file is not None, "a target file without mistakes describes a target"
        clients = open_clients(file.endpoints.values())
        pki = PartialPki(by_name(clients))
        rooms = {name: pki.room(client) for name, (client, _) in clients.items()}
        deployment = cls(replace(file, read_only=file.read_only or read_only), rooms=rooms)
        if deployment.file.read_only and not any(
            is_safe(flow.method) for flow in deployment.flows(registered_catalogue())
        ):
            raise UsageError(
                "read-only, but every request in this file writes",
                where=str(path),
                hint="give each server a harmless request: {method: GET, path: ..., success: 200}",
            )
        return deployment

    def target(self) -> Target:
        """What a run needs of it."""
        file = self.file
        name = " ".join(filter(None, (file.product, file.version)))
        places = ", ".join(f"{item.name} ({protected_by(item)})" for item in file.endpoints.values())
        return Target(
            name=str(file.file),
            scope=f"{name}, {file.environment}: {places}, from the client's side only.",
            own_lab=False,
            grade=ExternalLab.grade,
            features=frozenset(file.claimed) | self._shown(),
            bench=self._bench,
            adapt=self.adapt,
            withhold=self.withhold,
            profile=profile_of(file),
            claims=(
                *(self._claim(flow) for flow in self.services(registered_catalogue())),
                *exchange_cases.claims(file, self._exchanges(registered_catalogue())),
            ),
            authorities=file.authorities,
        )

    def _claim(self, flow: Flow) -> Claim:
        endpoint = self.file.endpoints[flow.server.name]
        if ours := gateways(self.file, registered_catalogue().flows).get(endpoint.name):
            return ours.claim(flow, self.file.tokens)
        token = flow.server.verifies(Protection.TOKEN, endpoint.posture)
        # What the documented product's tokens say there is not public, and it is not asked to look.
        named = self.file.tokens.get("claims", {}) if token and endpoint.generic else {}
        return Claim(
            flow.name,
            str(endpoint.posture),
            str(endpoint.path),
            certificate=flow.server.verifies(Protection.CERTIFICATE, endpoint.posture),
            token=token,
            audience=bool(named.get("aud")),
            issuer=bool(named.get("iss")),
        )

    def _shown(self) -> frozenset[str]:
        """Features that need no declaration: what the file gives says that they are there."""
        revoked = any(endpoint.client and endpoint.client.revoked for endpoint in self.file.endpoints.values())
        return frozenset({builtin.REVOCATION} if revoked else ())

    def adapt(self, catalogue: Catalogue) -> Catalogue:
        """*catalogue* with the servers, requests and flows of this deployment in place of the documented ones."""
        paths = {endpoint.path for endpoint in self.file.endpoints.values()} - {Path.DIRECT}
        documented = [flow for item in self.file.endpoints.values() for flow in item.flows if flow in catalogue.flows]
        catalogue = widened(asked_by(catalogue, _ANY_AREA, documented), dict.fromkeys(_ANY_AREA, paths))
        flows = {flow.name: flow for flow in self.services(catalogue)}
        exchanges = self._exchanges(catalogue)
        asked = {**flows, **exchanges}
        servers = {flow.server.name: flow.server for flow in asked.values()}
        levelled = (each for row in catalogue.requirements for each in self._levelled(row))
        anybodys = {flow.name for flow in stand_ins(catalogue)}
        ours = gateways(self.file, catalogue.flows).values()
        found = (self._row(row, flows, anybodys, exchanges, ours) for row in levelled)
        rows = tuple(row for row in found if row.cells)
        name = " ".join(filter(None, (self.file.product, self.file.version)))
        return replace(catalogue, product=name, servers=servers, flows=asked, requirements=rows)

    def flows(self, catalogue: Catalogue) -> Iterable[Flow]:
        """All flows of this deployment, those of its token service too."""
        return [*self.services(catalogue), *self._exchanges(catalogue).values()]

    def _exchanges(self, catalogue: Catalogue) -> Mapping[str, Flow]:
        clients = open_clients(self.file.endpoints.values())
        return exchange_cases.exchange_flows(self.file, catalogue, {name: row[0] for name, row in clients.items()})

    def services(self, catalogue: Catalogue) -> Iterable[Flow]:
        """The flows of *catalogue* that end at this deployment's endpoints, with its own requests and credentials."""
        clients = open_clients(self.file.endpoints.values())
        ours = gateways(self.file, catalogue.flows)
        for endpoint in self.file.endpoints.values():
            if endpoint.modes:
                yield from ours[endpoint.name].flows(clients[endpoint.name][0])
                continue
            if exchange_cases.only_asked_to_refuse(self.file, endpoint):
                continue
            documented = [catalogue.flows[name] for name in endpoint.flows if name in catalogue.flows]
            for flow in documented or (stand_ins(catalogue)[:1] if endpoint.generic else []):
                server = server_of(endpoint, flow.server)
                # That a flow is in this posture here is what the file says; no feature has to be claimed for it.
                plain = replace(flow, server=server, client_secret=clients[endpoint.name][0], posture_needs={})
                yield requested(endpoint, service(endpoint, plain) if endpoint.generic else plain)

    def _levelled(self, row: Requirement) -> Iterator[Requirement]:
        """*row*; as two, where a part of it binds only a service whose target file says what it has agreed to."""
        named = {token for block in row.cells for token in block.tokens}
        if "algorithms" in self.file.tokens or not named & _AGREED:
            yield row
            return
        yield replace(row, cells=_only(row.cells, lambda token: token not in _AGREED))
        advice = _only(row.cells, lambda token: token in _AGREED)
        yield replace(row, level=Level.SHOULD, note=_NOT_AGREED, cells=advice)

    def _row(
        self,
        row: Requirement,
        flows: Mapping[str, Flow],
        anybodys: Collection[str],
        exchanges: Mapping[str, Flow],
        ours: Collection[Asked],
    ) -> Requirement:
        if (exchanged := exchange_cases.exchange_row(row, self.file, exchanges)) is not None:
            return exchanged
        general = row.area in _ANY_AREA or row.id in _ANY_REQUIREMENT
        judged = [block for block in row.cells if not block.exports]
        blocks = [self._block(block, flows, anybodys if general else ()) for block in judged]
        for gateway in ours:
            blocks += gateway.cells(row)
            stand_for_any = (block for block in judged if general and not {*anybodys}.isdisjoint(block.flows))
            blocks += (self._elsewhere(part) for block in stand_for_any for part in gateway.general(row, block))
        return replace(row, cells=tuple(block for block in blocks if block.flows))

    def _block(self, block: Cells, flows: Mapping[str, Flow], anybodys: Collection[str]) -> Cells:
        """*block* on this deployment's flows; one on a flow of *anybodys* holds for each service of its own, too."""
        documented = {name for endpoint in self.file.endpoints.values() for name in endpoint.flows}
        kept = [name for name in block.flows if name in documented and name in flows]
        if any(name in block.flows for name in anybodys):
            kept += [name for name, flow in flows.items() if name not in documented and not flow.modes]
        return self._elsewhere(replace(block, flows=tuple(kept)))

    def _elsewhere(self, block: Cells) -> Cells:
        # Our own JWKS server is what differs in the place of a management that we do not have here.
        return replace(block, params=Params()) if {*block.transports} == _KEY_SERVER else block

    def withhold(self, case: Case) -> str:
        """Why *case* does not apply to this deployment, '' if it does."""
        return self._too_much(case) if exchange_cases.is_exchange(case.flow) else self._withheld(case)

    def _withheld(self, case: Case) -> str:
        endpoint, needs = self.file.endpoints[case.flow.server.name], needs_of(case.stimulus)
        if case.posture is not endpoint.posture:
            return f"servers.{endpoint.name} is in posture {endpoint.posture}"
        if needs & {Need.OWN_LAB, Need.EXPORTS} or case.params.script or case.params.variant:
            return "needs servers and clients that Hopproof can start, stop and drive"
        if Need.KEY_SERVER in needs and "jwks" not in self.file.tokens:
            return "the keys are not fetched from Hopproof's JWKS server (tokens.jwks)"
        if case.path is not endpoint.path:
            return f"servers.{endpoint.name} is reached over the path {endpoint.path}"
        if Need.ORIGIN in needs and not (endpoint.origin or endpoint.certificate_sha256):
            return (
                f"the passthrough is only declared by the file: give servers.{endpoint.name}.origin or "
                "certificate_sha256 to verify it"
            )
        control = case.control()
        if control is not None and control.path is not endpoint.path:
            return "its positive twin needs the same server reached directly"
        if Need.SUBJECT in needs and not (endpoint.subject or endpoint.modes):
            return f"servers.{endpoint.name} has no subject: any certificate of its CA is to be accepted"
        if reason := not_given(case.stimulus, endpoint.client) or self._no_room(case):
            return reason
        if Need.LAB_ENVIRONMENT in needs and self.file.environment != "lab":
            return "would send a valid credential unencrypted, which is done in labs only"
        return self._too_much(case)

    def _no_room(self, case: Case) -> str:
        room = self.rooms.get(case.flow.server.name)
        if room is None or room >= authorities_below(case.stimulus.certificate):
            return ""
        return f"the client's CA may have {room or 'no'} further CA below it (path length)"

    def _too_much(self, case: Case) -> str:
        does = intrusiveness(case)
        if self.file.read_only and does in (Intrusiveness.WRITE, Intrusiveness.STRESS):
            return f"read-only: this case would {'write to' if does is Intrusiveness.WRITE else 'stress'} the server"
        return ""

    # How they are run

    def _bench(self, catalogue: Catalogue, seed: int) -> Bench:
        file = self.file
        lab = ExternalLab(file)
        try:
            token_issuer, keys = open_token_issuer(file)
            if keys is not None:
                lab.on_close.insert(0, keys.close)
            # A flow without a certificate has a client without a name.
            pki = PartialPki({"": ANYBODY, **by_name(open_clients(file.endpoints.values()))})
            stimuli = PartialStimuli(pki, token_issuer, lab.folder / "clients")
            lab.on_close.insert(0, stimuli.attacker_listener.close)
            dialect = dialect_of(file)
            kept = frozenset({dialect.refusal.header.lower()} if dialect.refusal else ())
            sender = paced(Pace(file.rate).wait, kept)
            sender = Patience(sender) if self.wait else sender
            bench = Bench(lab, stimuli, seed, dialect, sender, {}, describe=self._describe)
            bench = replace(bench, keys=keys, token_client=token_client_of(file, lab, dialect, self.wait))
            asked = None if keys is None else lambda: keys.asked
            try:
                services = [flow for flow in catalogue.flows.values() if not exchange_cases.is_exchange(flow)]
                look_at(Preflight(bench, stimuli, file, pki, asked), services, keys)
            except CannotJudge as error:
                if not token_issuer.misnamed:
                    raise
                raise CannotJudge(
                    f"{token_issuer.misnamed}; {error.what}", where=error.where, hint=_ASKED_FOR
                ) from error
        except BaseException:
            lab.close()
            raise
        return bench

    def _describe(self, case: Case, request: Prepared, identity: Identity | None) -> Observations:
        """How to repeat *request* without us: a line of curl, and the folder whose files it reads, if any."""
        endpoint, folder = self.file.endpoints[case.flow.server.name], curl.folder_of(case)
        found = curl.recipe(case, endpoint, request, folder)
        # Keys that we serve are gone with us: a token by curl alone would be refused for that.
        if found is None or ("jwks" in self.file.tokens and request.token is not None):
            return {}
        if self.keep is not None and self.keep[0] == case.id:
            folder = str(self.keep[1])
            found = curl.recipe(case, endpoint, request, folder) or found
            pem = identity.key_pem() + identity.pem() if identity is not None else None
            curl.write(found, self.keep[1], pem)
        if found.files or found.identity:
            return {"curl": found.line, "reads": folder}
        return {"curl": found.line}


def _only(cells: Iterable[Cells], wanted: Callable[[str], bool]) -> tuple[Cells, ...]:
    blocks = (replace(block, tokens=tuple(filter(wanted, block.tokens))) for block in cells)
    return tuple(block for block in blocks if block.tokens)
