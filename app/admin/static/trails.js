// Refusals and the audit trail: the newest first, growing while they are looked at.

import { get } from "./api.js";
import { $, h, time } from "./dom.js";

const PERIOD_MS = 2000;
const MOST_ROWS = 1000;
const PAGE = 100;
const MOST_STEPS = 50;

/** One trail. `columns` are [heading, entry → cell]; `filters` are [field, label, options or null]. */
export class Trail {
  #entries = [];
  #nextId = null;
  #timer = null;
  #turn = 0;

  constructor(name, columns, filters, more) {
    const view = $(`#view-${name}`);
    Object.assign(this, { name, columns, filters, more });
    [this.form, this.table, this.pager] = [".filters", "table", ".pager"].map((one) => $(one, view));
    this.count = h("p", { class: "count", role: "status" });
    this.pause = h("button", { type: "button", "aria-pressed": "false", click: () => this.#togglePause() }, "Pause");
    this.older = h("button", { type: "button", click: () => this.#load(this.#nextId) }, "Older");
    this.form.append(...filters.map(field), this.pause, this.count);
    this.form.addEventListener("submit", (event) => event.preventDefault());
    this.form.addEventListener("input", () => this.#restart());
    this.body = h("tbody");
    this.table.append(h("thead", {}, h("tr", {}, columns.map(([head]) => h("th", { scope: "col" }, head)))), this.body);
    this.pager.append(this.older);
  }

  show() {
    this.#restart();
  }

  hide() {
    clearTimeout(this.#timer);
    this.#turn += 1;
  }

  /** Show what has these values, such as `{client_id: "demo"}`. */
  filter(values) {
    for (const [name, value] of Object.entries(values)) this.form.elements[name].value = value;
  }

  get #wanted() {
    return Object.fromEntries([...new FormData(this.form)].map(([name, value]) => [name, value.trim()]));
  }

  async #restart() {
    this.hide();
    const mine = this.#turn;
    this.#entries = [];
    this.#nextId = null;
    await this.#load("");
    if (mine === this.#turn) this.#follow(mine);
  }

  /** A page of entries older than `before`; the newest for "". A search may take several steps. */
  async #load(before) {
    const mine = this.#turn;
    this.count.textContent = "loading";
    this.older.disabled = true; // the same page twice would be shown twice
    try {
      let found = 0;
      for (let step = 0; step < MOST_STEPS && before !== null && found < PAGE; step += 1) {
        const { entries, next_id: nextId } = await get(this.name, { ...this.#wanted, before });
        if (mine !== this.#turn) return;
        this.#entries.push(...entries);
        this.#nextId = before = nextId;
        found += entries.length;
        this.#draw();
      }
    } catch (refusal) {
      if (mine === this.#turn) this.count.textContent = refusal.message;
    } finally {
      if (mine === this.#turn) this.older.disabled = false;
    }
  }

  #follow(mine) {
    this.#timer = setTimeout(async () => {
      if (!document.hidden && !this.isPaused) await this.#takeNews(mine).catch((refusal) => (this.count.textContent = refusal.message));
      if (mine === this.#turn) this.#follow(mine);
    }, PERIOD_MS);
  }

  async #takeNews(mine) {
    const newest = this.#entries[0]?.id;
    const { entries } = await get(this.name, { ...this.#wanted, ...(newest ? { after: newest } : {}) });
    if (mine !== this.#turn || (!entries.length && newest)) return;
    this.#entries = [...entries, ...this.#entries].slice(0, MOST_ROWS);
    this.#draw(entries.length);
  }

  #draw(fresh = 0) {
    const rows = this.#entries.map((entry, index) => {
      const cells = this.columns.map(([head, cell]) => h("td", { "data-head": head }, cell(entry)));
      return h("tr", { class: index < fresh ? "fresh" : "" }, cells);
    });
    const none = h("tr", { class: "none" }, h("td", { colspan: this.columns.length }, "Nothing yet."));
    this.body.replaceChildren(...(rows.length ? rows : [none]));
    this.older.hidden = !this.#nextId;
    this.count.textContent = this.isPaused ? "paused" : `${this.#entries.length} shown, following`;
  }

  #togglePause() {
    this.isPaused = !this.isPaused;
    this.pause.setAttribute("aria-pressed", String(this.isPaused));
    this.pause.textContent = this.isPaused ? "Go on" : "Pause";
    this.#draw();
  }
}

function field([name, label, options]) {
  const input = options
    ? h("select", { name }, h("option", { value: "" }, "any"), options.map((value) => h("option", {}, value)))
    : h("input", { name, type: "search", autocomplete: "off", spellcheck: "false" });
  return h("label", {}, label, input);
}

const code = (text) => (text ? h("code", {}, text) : h("span", { class: "muted" }, "–"));

const EVENTS = [
  ...["mint", "revoke", "revoke_client", "revoke_all", "client_create", "client_set", "client_scopes", "client_rotate"],
  ...["client_disable", "client_enable", "client_delete", "route_set", "route_delete", "key_rotate", "key_retire", "restore", "admin_sign_in"],
];
const REASONS = [
  ...["no_token", "malformed", "bad_signature", "unknown_key", "wrong_type", "wrong_issuer", "wrong_audience", "wrong_proof"],
  ...["expired", "not_yet_valid", "revoked", "spent", "client_disabled", "missing_scope", "unknown_route", "rate_limited", "store_unavailable", "overloaded"],
  ...["invalid_request", "invalid_client", "invalid_scope", "invalid_target", "unauthorized_client", "unsupported_grant_type", "temporarily_unavailable", "invalid_dpop_proof", "use_dpop_nonce"],
];

export const audit = () =>
  new Trail(
    "audit",
    [
      ["Time", (entry) => time(entry.time_s)],
      ["Event", (entry) => h("span", { class: "event" }, entry.event)],
      ["Client", (entry) => code(entry.client_id)],
      ["Who", (entry) => entry.who ?? "–"],
      ["From", (entry) => entry.from ?? "–"],
      ["Detail", (entry) => [entry.detail ?? "", entry.jti ? h("span", { class: "jti" }, "jti ", h("code", {}, entry.jti)) : null]],
      ["Request", (entry) => code(entry.request_id?.slice(0, 12))],
    ],
    [["event", "Event", EVENTS], ["client_id", "Client", null]],
  );

export const refusals = () =>
  new Trail(
    "refusals",
    [
      ["Time", (entry) => time(entry.time_s)],
      ["Reason", (entry) => h("span", { class: "reason" }, entry.reason)],
      ["Client", (entry) => code(entry.client_id)],
      ["Call", (entry) => code([entry.method, entry.route].filter(Boolean).join(" "))],
      ["Needed", (entry) => code(entry.needed)],
      ["And more", (entry) => (entry.more ? `${entry.more} not shown` : "")],
      ["Request", (entry) => code(entry.request_id?.slice(0, 12))],
    ],
    [["reason", "Reason", REASONS], ["client_id", "Client", null]],
  );
