// The matrix: requirements down, postures and paths across, flows summed up or a line each.
let unfolded = false;

function gathered(rows) {
  const cells = new Map(), own = index.columns;
  for (const row of rows) {
    const outcome = value("outcome", row), column = value("posture", row) + " " + value("path", row);
    for (const flow of unfolded ? ["", value("flow", row)] : [""]) {
      const key = own.requirement[row] + "|" + flow + "|" + column;
      let cell = cells.get(key);
      if (!cell) cells.set(key, (cell = {}));
      cell[outcome] = (cell[outcome] || 0) + 1;
    }
  }
  return cells;
}

function spoken(cell) {
  return WORST.filter((name) => cell[name]).map((name) => cell[name] + " " + name).join(", ");
}

function cellLink(cell, wanted) {
  const judged = WORST.slice(0, 6).reduce((sum, name) => sum + (cell[name] || 0), 0);
  const unjudged = (cell.withheld || 0) + (cell.skipped || 0);
  const outcome = WORST.find((name) => cell[name]);
  const passed = cell.PASS || 0;
  const text = !judged ? String(unjudged) : passed === judged ? String(judged) : passed + "/" + judged;
  const place = [wanted.requirement, wanted.flow, wanted.posture, wanted.path].filter(Boolean).join(", ");
  const said = place + ": " + spoken(cell);
  const node = badge(outcome, text, { href: link(wanted), "aria-label": said, title: said });
  if (judged && unjudged) node.append(" ○" + unjudged);
  return node;
}

function matrixHead(columns) {
  const postures = el("tr", {}, el("th", { scope: "col", rowspan: "2" }, "Requirement"));
  const paths = el("tr", {});
  for (const posture of [...new Set(columns.map((column) => column.posture))]) {
    const members = columns.filter((column) => column.posture === posture);
    postures.append(el("th", { scope: "colgroup", colspan: members.length, title: (index.words.posture || {})[posture] }, posture));
    for (const column of members) paths.append(el("th", { scope: "col", title: (index.words.path || {})[column.path], abbr: column.path }, { passthrough: "pass\u00adthrough", terminating: "termi\u00adnating" }[column.path] || column.path));
  }
  return el("thead", {}, postures, paths);
}

function matrixLine(cells, columns, number, flow, filter) {
  const id = index.tables.requirement[number], described = index.requirements[id] || {};
  const head = flow
    ? el("th", { scope: "row" }, flow)
    : el("th", { scope: "row" }, el("a", { href: link({ ...filter, requirement: id }) }, id), " ", described.level || "", el("small", {}, described.text || ""));
  const line = el("tr", { class: flow ? "sub" : undefined }, head);
  for (const column of columns) {
    const cell = cells.get(number + "|" + flow + "|" + column.posture + " " + column.path);
    const wanted = { ...filter, requirement: id, posture: column.posture, path: column.path, ...(flow ? { flow } : {}) };
    line.append(el("td", {}, cell ? cellLink(cell, wanted) : ""));
  }
  return line;
}

function drawMatrix(rows, wanted) {
  const seen = new Map(), requirements = new Map();
  for (const row of rows) {
    const posture = value("posture", row), path = value("path", row), number = index.columns.requirement[row];
    seen.set(posture + " " + path, { posture, path });
    if (!requirements.has(number)) requirements.set(number, { area: value("area", row), flows: new Set() });
    requirements.get(number).flows.add(value("flow", row));
  }
  const columns = [...seen.values()].sort((a, b) => by(POSTURES)(a.posture, b.posture) || by(PATHS)(a.path, b.path));
  const filter = { ...wanted };
  delete filter.case;
  const cells = gathered(rows), body = el("tbody", {});
  const names = index.tables.requirement;
  const ordered = [...requirements].sort(([a, x], [b, y]) => (x.area < y.area ? -1 : x.area > y.area ? 1 : names[a].localeCompare(names[b], "en", { numeric: true })));
  let area = null;
  for (const [number, about] of ordered) {
    if (about.area !== area) body.append(el("tr", { class: "area" }, el("th", { scope: "rowgroup", colspan: columns.length + 1 }, (area = about.area))));
    body.append(matrixLine(cells, columns, number, "", filter));
    if (unfolded) for (const flow of [...about.flows].sort()) body.append(matrixLine(cells, columns, number, flow, filter));
  }
  $("grid").replaceChildren(rows.length ? el("table", { class: "matrix" }, matrixHead(columns), body) : el("p", {}, "No case matches these filters."));
}
