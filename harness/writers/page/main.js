// Filters, list, and what happens when the fragment changes.
const PAGE = 100;
let current = [], start = 0;

function fillFilters() {
  for (const key of KEYS) {
    const order = { posture: POSTURES, path: PATHS, outcome: WORST }[key] || [];
    const select = $("filters").elements[key];
    for (const text of [...index.tables[key]].filter(Boolean).sort(by(order))) select.append(el("option", { value: text }, text));
  }
}

function showFilters(wanted) {
  for (const key of [...KEYS, "q"]) {
    const field = $("filters").elements[key];
    if (field !== document.activeElement || key !== "q") field.value = wanted[key] || "";
  }
}

function told(rows) {
  const judged = rows.reduce((sum, row) => sum + !["withheld", "skipped"].includes(value("outcome", row)), 0);
  const rest = rows.length - judged;
  $("told").textContent = judged + " in this run" + (rest ? ", " + rest + " withheld or skipped" : "");
}

function entry(row) {
  const outcome = value("outcome", row), id = index.case[row];
  const button = el("button", { type: "button", "aria-expanded": "false", "data-row": row }, badge(outcome, outcome), el("span", { class: "id" }, id), el("span", { class: "why" }, outcome === "PASS" ? "" : value("reason", row)));
  return el("li", {}, button);
}

function drawList() {
  $("list").replaceChildren(...current.slice(start, start + PAGE).map(entry));
  $("where").textContent = current.length ? start + 1 + "–" + Math.min(start + PAGE, current.length) + " of " + current.length : "none";
  $("before").disabled = start === 0;
  $("after").disabled = start + PAGE >= current.length;
}

async function toggle(button, open) {
  const item = button.parentElement;
  if (!open) {
    if (item.lastChild !== button) item.lastChild.remove();
    button.setAttribute("aria-expanded", "false");
    return;
  }
  button.setAttribute("aria-expanded", "true");
  if (item.lastChild === button) item.append(await caseView(Number(button.dataset.row)));
}

async function openCase(id) {
  const row = index.case.indexOf(id);
  if (row < 0) { $("told").textContent = "no case " + id + " in this record"; return; }
  if (!current.includes(row)) { current = [row]; drawMatrix(current, {}); told(current); }
  start = Math.floor(current.indexOf(row) / PAGE) * PAGE;
  drawList();
  const button = $("list").querySelector('[data-row="' + row + '"]');
  await toggle(button, true);
  button.focus({ preventScroll: true });
  button.scrollIntoView({ block: "start" });
}

function show(wanted) {
  current = matching(wanted);
  start = 0;
  showFilters(wanted);
  told(current);
  drawMatrix(current, wanted);
  drawList();
}

let typed = false;
async function follow() {
  const wanted = asked(), anchor = location.hash.length > 1 && !location.hash.includes("=");
  if (anchor && current.length) return; // a section of this page, which the browser goes to by itself
  show(wanted);
  if (wanted.case !== undefined) await openCase(wanted.case);
  else if (!typed && !anchor && location.hash.length > 1) { $("h-cases").focus({ preventScroll: true }); $("h-cases").scrollIntoView(); }
  typed = false;
}

function typedFilter() {
  const wanted = {};
  for (const key of [...KEYS, "q"]) wanted[key] = $("filters").elements[key].value;
  typed = true;
  const next = link(wanted);
  if (next === (location.hash || "#")) typed = false;
  else if (next === "#") { history.replaceState(null, "", location.pathname + location.search); typed = false; show({}); }
  else location.hash = next;
}

function chooseDrawing(button) {
  for (const other of document.querySelectorAll("[data-drawing]")) {
    const chosen = other === button;
    other.setAttribute("aria-pressed", String(chosen));
    $("drawing-" + other.dataset.drawing).hidden = !chosen;
  }
}

fillFilters();
$("explore").hidden = false;
$("filters").addEventListener("input", typedFilter);
$("filters").addEventListener("submit", (event) => event.preventDefault());
$("reset").addEventListener("click", () => { $("filters").reset(); typedFilter(); });
$("before").addEventListener("click", () => { start = Math.max(0, start - PAGE); drawList(); });
$("after").addEventListener("click", () => { start += PAGE; drawList(); });
$("unfold").addEventListener("click", () => { unfolded = !unfolded; $("unfold").setAttribute("aria-pressed", String(unfolded)); drawMatrix(current, asked()); });
$("list").addEventListener("click", (event) => {
  const button = event.target.closest("button[data-row]");
  if (button) toggle(button, button.getAttribute("aria-expanded") !== "true");
});
for (const button of document.querySelectorAll("[data-drawing]")) button.addEventListener("click", () => chooseDrawing(button));
addEventListener("hashchange", follow);
follow().then(() => document.documentElement.setAttribute("data-ready", String(performance.now())));
