// One case: what was sent, what came back, what each side saw, why it matters, how to repeat it.
const unpacked = new Map();

async function evidence(row) {
  const number = Math.floor(row / index.block);
  if (!unpacked.has(number)) {
    const bytes = Uint8Array.from(atob($("block-" + number).textContent), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
    unpacked.set(number, new Response(stream).json());
  }
  return (await unpacked.get(number))[row % index.block];
}

const shown = (content) => (typeof content === "string" ? content : JSON.stringify(content));

function facts(pairs) {
  const list = el("dl", { class: "facts" });
  for (const [name, content] of pairs) {
    if (content === undefined || content === null || content === "" || content === false) continue;
    list.append(el("dt", {}, name), el("dd", {}, content instanceof Node ? content : shown(content)));
  }
  return list;
}

function chain(certificates) {
  if (!certificates || !certificates.length) return "none presented";
  let inner = null;
  for (const item of certificates) {
    const entry = el("li", {}, item.subject, el("br"), el("small", {}, "issued by " + item.issuer + " · sha256 " + item.sha256.slice(0, 16) + "…"));
    if (inner) entry.append(inner);
    inner = el("ul", { class: item === certificates[certificates.length - 1] ? "chain" : undefined }, entry);
  }
  return inner;
}

const token = (seen) => el("div", {}, el("pre", {}, JSON.stringify({ header: seen.header ?? "not readable", claims: seen.claims ?? "not readable" }, null, 1)), el("small", {}, "signature left out; sha256 of the whole token " + seen.sha256));

function request(seen) {
  return facts([["request", seen.method + " " + seen.path], ["answered", seen.status], ["decision", seen.decision], ["reason", seen.reason], ["detail", seen.detail],
    ["body", seen.body_bytes ? seen.body_bytes + " bytes, sha256 " + seen.body_sha256.slice(0, 16) + "…" : undefined]]);
}

function connection(view) {
  return [["handshake", view.established ? "completed, " + (view.tls_version || "version unknown") : "not completed on this side"], ["name asked for", view.sni], ["port", view.peer_port + " → " + view.local_port], ["detail", view.detail]];
}

function part(title, ...children) { return el("div", {}, el("h3", {}, title), ...children); }

function stimulusWords(row) {
  const words = index.words.stimulus || {};
  return value("stimulus", row).split("+").map((name) => name + (words[name] ? ": " + words[name] : name === "good" ? ": nothing wrong, everything as the real client does send it" : "")).join("; ");
}

function sentPart(row, seen) {
  const observed = [seen.balancer, seen.server].map((view) => view && view.requests && view.requests[0]).find((item) => item && item.token);
  const own = seen.client || {};
  return part("What was sent", facts([["presented", stimulusWords(row)], index.modes[value("flow", row)] ? ["client authentication", index.modes[value("flow", row)]] : ["posture", value("posture", row) + ": " + ((index.words.posture || {})[value("posture", row)] || "")],
    ["path", value("path", row) + ": " + ((index.words.path || {})[value("path", row)] || "")],
    ["client's chain", own.client_chain ? chain(own.client_chain) : seen.server ? chain(seen.server.client_chain) : undefined],
    ["token", own.token ? token(own.token) : observed ? token(observed.token) : own.authorization_sha256 ? "an Authorization header (sha256 " + own.authorization_sha256.slice(0, 16) + "…) that was not decoded" : seen.client ? "no Authorization header" : undefined],
    ["body sha256", own.body_sha256]]));
}

function backPart(seen) {
  const view = seen.client, answer = view && view.response;
  if (!view) return part("What came back", el("p", {}, seen.lab_fault ? "The lab failed: " + seen.lab_fault : seen.extra && seen.extra.steps ? "The result of each step is under Effect and controls." : "The harness sent no request itself; see the other parts."));
  return part("What came back", facts([["TLS", view.established ? view.tls_version + ", handshake completed" : "no handshake completed"], ["alert", view.alert], ["closed", view.closed && "the connection ended without a response"],
    ["deadline", view.timed_out && "passed"], ["network", view.fault], ["server refused", view.server_refused], ["status", answer && answer.status],
    ["headers", answer && answer.headers && el("pre", {}, answer.headers.map((pair) => pair.join(": ")).join("\n"))], ["body", answer && answer.body && el("pre", {}, answer.body)],
    ["server's chain", view.server_chain && chain(view.server_chain)], ["took", view.ms && view.ms + " ms"]]));
}

function sidePart(title, view, absent) {
  if (!view) return part(title, el("p", {}, absent));
  return part(title, facts([...connection(view), ["rejected", view.rejected], ["mode", view.mode], ["handshake with the server", view.mode && (view.upstream_established ? "completed" : "none of its own")], ["towards the server", view.upstream_error]]),
    ...(view.requests || []).map(request), view.mode === "passthrough" && !(view.requests || []).length ? el("p", {}, "It could read no request: TLS was passed through.") : "");
}

function said(step) {
  const { step: what, status, ended, reason, effect, read_on_the_way: read, ...more } = step;
  const words = [status && "answered " + status, ended && "ended with " + ended, reason && "the server reports " + reason,
    effect === true && "acted upon", effect === false && "not acted upon", read && "the balancer can read its " + read, ...Object.entries(more).map(([key, item]) => key + " " + item)];
  const facts = words.filter(Boolean).join(", ");
  return what ? what + (facts ? ": " + facts : "") : facts || "nothing was sent";
}

function extraPart(seen) {
  const extra = { ...(seen.extra || {}) };
  for (const name of ["server_leaf_sha256", "curl", "reads"]) delete extra[name];
  const done = seen.effect === undefined || seen.effect === null ? undefined : seen.effect ? "yes, the server acted upon it" : "no, the server did not act upon it";
  const twin = seen.twin && ["opening", "closing"].map((end) => end + " " + (seen.twin[end] || "served")).join("; ");
  const steps = extra.steps && el("ol", {}, ...extra.steps.map((step) => el("li", {}, said(step))));
  delete extra.steps;
  return part("Effect and controls", facts([["acted upon", done], ["positive twin", twin], ["steps", steps], ["notes", seen.notes && seen.notes.join("; ")], ["more", Object.keys(extra).length ? el("pre", {}, JSON.stringify(extra, null, 1)) : undefined]]));
}

function whyPart(row) {
  const described = index.requirements[value("requirement", row)] || {};
  return part("What is required, and why", facts([["requirement", value("requirement", row) + " (" + value("level", row) + ")"], ["text", described.text], ["why it matters", described.why], ["clause", value("source", row)], ["basis", value("basis", row)], ["note", told.note],
    ["expected", (index.words.expected || {})[value("expected", row)] || value("expected", row)]]));
}

const quoted = (text) => "'" + text.replaceAll("'", "'\\''") + "'";

function commandPart(row, judged, seen) {
  const id = index.case[row], lines = [], { curl, reads } = seen.extra || {};
  const again = "hopproof replay " + quoted(id) + " --report " + quoted(index.report);
  if (curl) lines.push(reads ? again + " --write " + quoted(reads) + "; " + curl : curl);
  else if (judged) lines.push(again);
  lines.push("hopproof explain " + quoted(id) + (index.target ? " --target " + quoted(index.target) : ""));
  return part("Repeat it", ...lines.map((line) => el("pre", { class: "command" }, line)));
}

async function caseView(row) {
  const seen = await evidence(row), outcome = value("outcome", row), judged = !["withheld", "skipped"].includes(outcome);
  const head = facts([["outcome", badge(outcome, outcome)], ["reason", value("reason", row)], ["evidence", value("grade", row)], ["took", judged ? index.ms[row] + " ms" : undefined]]);
  const played = seen.extra && seen.extra.steps;
  const balancer = value("path", row) === "direct" || played ? "" : sidePart("What the balancer saw", seen.balancer, "It recorded nothing for this connection.");
  const parts = judged ? [sentPart(row, seen), backPart(seen), balancer, played ? "" : sidePart("What the server saw", seen.server, "It recorded nothing for this connection."), extraPart(seen)] : [];
  return el("div", { class: "case" }, head, el("div", { class: "columns" }, whyPart(row), ...parts, commandPart(row, judged, seen)),
    judged ? el("details", {}, el("summary", {}, "The evidence as recorded"), el("pre", {}, JSON.stringify(seen, null, 1))) : "");
}
