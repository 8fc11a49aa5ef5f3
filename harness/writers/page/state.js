"use strict";
// What is known and what is asked for.  The address' fragment is the only state: #flow=...&outcome=FAIL&case=...
const $ = (id) => document.getElementById(id);
const index = JSON.parse($("index").textContent);
const N = index.case.length;
const KEYS = ["flow", "requirement", "posture", "path", "outcome", "stimulus", "level", "grade", "basis"];
const SYMBOL = { FAIL: "✗", WRONG_REASON: "≠", HARNESS_ERROR: "!", UNOBSERVED: "?", UNSUPPORTED: "~", PASS: "✓", withheld: "○", skipped: "○" };
const WORST = Object.keys(SYMBOL);
const POSTURES = ["default", "mtls", "jwt", "both", "tls-only"], PATHS = ["direct", "passthrough", "terminating"];

const value = (key, row) => index.tables[key][index.columns[key][row]];
const by = (order) => (a, b) => (order.indexOf(a) + 1 || 99) - (order.indexOf(b) + 1 || 99) || (a < b ? -1 : a > b ? 1 : 0);

// Text only ever becomes a text node: whatever a target said stays text.
function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, content] of Object.entries(attributes || {})) if (content !== undefined) node.setAttribute(name, content);
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

function badge(outcome, text, attributes) {
  const tag = attributes && attributes.href ? "a" : "span";
  return el(tag, { class: "o o-" + outcome, ...attributes }, el("span", { "aria-hidden": "true" }, SYMBOL[outcome] || "·"), " " + text);
}

function asked() {
  const fragment = location.hash.slice(1);
  const found = {};
  if (!fragment.includes("=")) return found;
  for (const [key, text] of new URLSearchParams(fragment)) if (text !== "") found[key] = text;
  return found;
}

const link = (wanted) => "#" + new URLSearchParams(Object.entries(wanted).filter(([, text]) => text)).toString();

let lowered = null;
function matching(wanted) {
  const tests = [];
  for (const key of KEYS) {
    if (wanted[key] === undefined) continue;
    const number = index.tables[key].indexOf(wanted[key]), column = index.columns[key];
    tests.push((row) => column[row] === number);
  }
  if (wanted.q) {
    const needle = wanted.q.toLowerCase();
    lowered = lowered || index.case.map((text) => text.toLowerCase());
    const reasons = index.tables.reason.map((text) => text.toLowerCase().includes(needle)), column = index.columns.reason;
    tests.push((row) => reasons[column[row]] || lowered[row].includes(needle));
  }
  const found = [];
  for (let row = 0; row < N; row++) if (tests.every((test) => test(row))) found.push(row);
  return found;
}
