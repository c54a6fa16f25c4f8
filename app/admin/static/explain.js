// What the gate would say to a call, check by check. The token leaves this page in a body only.

import { explain } from "./api.js";
import { $, h } from "./dom.js";

const MARKS = { ok: "✓", refused: "✗", skipped: "–" };

function verdict({ allowed, reason, checks }) {
  const rows = checks.map(({ check, outcome, detail }) =>
    h("li", { class: outcome }, h("span", { class: "mark", "aria-hidden": "true" }, MARKS[outcome] ?? ""), h("b", {}, check), h("span", { class: "outcome" }, outcome), h("span", { class: "detail" }, detail)));
  return [
    h("p", { class: `verdict ${allowed ? "good" : "bad"}` }, allowed ? "Allowed" : ["Refused: ", h("code", {}, reason)]),
    h("ul", { class: "checks" }, rows),
  ];
}

export function begin() {
  const form = $("#explain-form");
  const result = $("#explain-result");
  const value = (name) => $(`#explain-${name}`).value.trim();
  const blank = result.firstElementChild;
  form.addEventListener("reset", () => result.replaceChildren(blank));
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const fields = Object.fromEntries(["token", "method", "path", "scopes", "audience"].map((name) => [name, value(name)]).filter(([, text]) => text));
    // Whoever copies a token copies the whole header now and then.
    fields.token = fields.token.replace(/^(authorization:\s*)?bearer\s+/i, "");
    try {
      result.replaceChildren(...verdict(await explain(fields)));
    } catch (refusal) {
      result.replaceChildren(h("p", { class: "problem" }, refusal.message));
    }
  });
}

export const show = () => {};
export const hide = () => {};
