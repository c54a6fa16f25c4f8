// The clients: all of them, loaded in small steps, searched and sorted here.

import { get, session } from "./api.js";
import * as actions from "./client_actions.js";
import { open } from "./dialogs.js";
import { $, h, note, time } from "./dom.js";
import * as format from "./format.js";
import { isSignedIn, mayChange, signedIn } from "./session.js";

const A_PAGE = 50;
/** Beyond this many, search: a browser is no database. */
const MOST = 50_000;
/** Between two steps, so that a worker has time for calls. */
const PAUSE_MS = 10;

const found = new Map();
let sorted = { by: "client_id", isDescending: false };
let page = 0;
/** While a list is loading: the clients that were asked for by themselves meanwhile, and are newer than it. */
let loading = null;
let state = "";
/** The row of each client as it was drawn: one that is the same keeps the focus. */
const rows = new WeakMap();

const lastUsed = (client) => Math.max(0, ...client.secrets.map((secret) => secret.last_used_s ?? 0));
const live = (client) => client.secrets.filter((secret) => secret.state === "live").length;

const COLUMNS = [
  ["client_id", "Client", (client) => client.client_id.toLowerCase()],
  ["status", "Status", (client) => client.status],
  ["scopes", "Scopes", (client) => client.scopes],
  ["live", "Secrets", live],
  ["used", "Last used", lastUsed],
  ["ttl_s", "Lifetime", (client) => client.ttl_s ?? 0],
  ["rate_per_s", "Rate", (client) => client.rate_per_s ?? 0],
  ["updated_at", "Changed", (client) => client.updated_at ?? 0],
];

const status = (client) => h("span", { class: `status ${client.status}` }, client.status);
const scopes = (client) => h("span", { class: "scopes" }, client.scopes.split(" ").filter(Boolean).map((scope) => h("code", {}, scope)));

function row(client) {
  const name = client.name && client.name !== client.client_id ? h("span", { class: "muted" }, client.name) : null;
  const cells = [
    [h("button", { type: "button", class: "link", click: () => showClient(client.client_id) }, client.client_id), name],
    [status(client)],
    [scopes(client)],
    [live(client) || h("b", { class: "bad" }, "none")],
    [time(lastUsed(client))],
    [client.ttl_s ? format.span(client.ttl_s) : h("span", { class: "muted" }, "default")],
    [client.rate_per_s ? `${format.whole(client.rate_per_s)}/s` : h("span", { class: "muted" }, "no limit")],
    [time(client.updated_at)],
  ];
  return h("tr", {}, cells.map((cell, index) => h("td", { "data-head": COLUMNS[index][1] }, cell)));
}

function rowOf(client) {
  if (!rows.has(client)) rows.set(client, row(client));
  return rows.get(client);
}

function wanted() {
  const text = $("#client-search").value.trim().toLowerCase();
  const which = $("#client-status").value;
  const [, , value] = COLUMNS.find(([name]) => name === sorted.by);
  const order = sorted.isDescending ? -1 : 1;
  return [...found.values()]
    .filter((client) => (!which || client.status === which) && (!text || `${client.client_id}\n${client.name}\n${client.scopes}`.toLowerCase().includes(text)))
    .map((client) => [value(client), client])
    .sort(([one, a], [other, b]) => order * (one < other ? -1 : one > other ? 1 : 0) || (a.client_id < b.client_id ? -1 : 1))
    .map(([, client]) => client);
}

function draw() {
  const clients = wanted();
  const pages = Math.max(1, Math.ceil(clients.length / A_PAGE));
  page = Math.min(page, pages - 1);
  const empty = h("tr", { class: "none" }, h("td", { colspan: COLUMNS.length }, loading ? "Loading." : found.size ? "No client is like that." : "There are no clients yet."));
  const shown = clients.slice(page * A_PAGE, (page + 1) * A_PAGE).map(rowOf);
  const drawn = [...$("#client-rows").children];
  if (!shown.length || shown.length !== drawn.length || shown.some((one, index) => one !== drawn[index])) {
    $("#client-rows").replaceChildren(...(shown.length ? shown : [empty]));
  }
  $("#client-count").textContent = [clients.length === found.size ? `${format.whole(found.size)} clients` : `${format.whole(clients.length)} of ${format.whole(found.size)} clients`, state].filter(Boolean).join(", ");
  $("#client-page").textContent = `Page ${page + 1} of ${pages}`;
  $("#client-before").disabled = page === 0;
  $("#client-after").disabled = page === pages - 1;
  for (const head of $("#client-heads").children) {
    head.setAttribute("aria-sort", head.dataset.by === sorted.by ? (sorted.isDescending ? "descending" : "ascending") : "none");
  }
}

function drawHeads() {
  $("#client-heads").replaceChildren(...COLUMNS.map(([by, text]) => {
    const click = () => {
      sorted = { by, isDescending: sorted.by === by ? !sorted.isDescending : by !== "client_id" && by !== "status" && by !== "scopes" };
      draw();
    };
    return h("th", { scope: "col", "data-by": by }, h("button", { type: "button", click }, text));
  }));
}

/** Load all clients, step by step; a later call ends an earlier one. */
async function load() {
  const mine = (loading = new Set());
  let cursor = "0";
  const seen = new Set();
  state = "loading";
  try {
    do {
      const part = await get("clients", { cursor });
      if (loading !== mine) return;
      for (const client of part.clients) {
        seen.add(client.client_id);
        if (!mine.has(client.client_id)) found.set(client.client_id, client);
      }
      cursor = part.cursor;
      draw();
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    } while (cursor !== "0" && seen.size < MOST && loading === mine);
    if (loading !== mine) return;
    // Those that have gone since the last time.
    if (cursor === "0") for (const clientId of found.keys()) if (!seen.has(clientId) && !mine.has(clientId)) found.delete(clientId);
    state = cursor === "0" ? "" : "and there are more";
  } catch (refusal) {
    if (loading !== mine) return;
    state = refusal.message;
  }
  loading = null;
  draw();
}

async function refresh(clientId) {
  const client = await read(clientId);
  if (!client) return;
  found.set(clientId, client);
  loading?.add(clientId);
  draw();
}

/** One client as it is now; undefined, and said so, when that cannot be had. */
const read = (clientId) => get(`clients/${encodeURIComponent(clientId)}`).catch((refusal) => note(refusal.message, "bad"));

function secretsOf(client) {
  const heads = ["Secret", "State", "Good from", "Good until", "Last used"];
  const until = (secret) => (secret.not_after_s ? time(secret.not_after_s) : h("span", { class: "muted" }, "no end"));
  const rows = client.secrets.map((secret) => [h("code", {}, secret.id), h("span", { class: `status ${secret.state}` }, secret.state), time(secret.not_before_s), until(secret), time(secret.last_used_s)]);
  return h("table", { class: "rows" },
    h("thead", {}, h("tr", {}, heads.map((head) => h("th", { scope: "col" }, head)))),
    h("tbody", {}, rows.map((cells) => h("tr", {}, cells.map((cell, index) => h("td", { "data-head": heads[index] }, cell))))));
}

/** Ask for all of it first: in the list it is in short. */
async function showClient(clientId) {
  const client = await read(clientId);
  if (!client) return;
  const facts = [
    ["Name", client.name || "–"],
    ["Status", status(client)],
    ["Authenticates by", client.token_endpoint_auth_method || "secret"],
    ["Scopes", scopes(client)],
    ["Audiences", client.audiences || "the server's"],
    ["Lifetime", client.ttl_s ? `${format.whole(client.ttl_s)} s` : "the server's"],
    ["Rate", client.rate_per_s ? `${format.whole(client.rate_per_s)} calls a second` : "no limit"],
    ["Created", time(client.created_at)],
    ["Changed", time(client.updated_at)],
    ...(client.not_before_s ? [["Revoked", ["every token issued up to ", time(client.not_before_s)]]] : []),
  ];
  open(clientId, (close) => [
    h("dl", { class: "facts" }, facts.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]).flat()),
    secretsOf(client),
    h("div", { class: "actions" }, buttons(client, close), h("button", { type: "button", click: close }, "Close")),
  ], { isWide: true });
}

function buttons(client, close) {
  if (!mayChange()) return [];
  const { client_id: clientId } = client;
  const button = (text, action, kind = "") => h("button", {
    type: "button",
    class: kind,
    click: () => {
      close();
      signedIn(() => action(clientId, refresh));
    },
  }, text);
  return [
    button("New secret", actions.rotate),
    client.status === "active" ? button("Disable", actions.disable, "danger") : button("Enable", actions.enable),
    button("Revoke its tokens", actions.revokeClient, "danger"),
  ];
}

let hasBegun = false;

export function show() {
  if (!hasBegun) drawHeads();
  hasBegun = true;
  draw();
  load();
}

export const hide = () => {
  loading = null;
};

export function begin() {
  const redraw = () => {
    page = 0;
    draw();
  };
  // Enter shows the client whose whole id was typed, whether it is in the list or not.
  $("#client-filter").addEventListener("submit", (event) => {
    event.preventDefault();
    if ($("#client-search").value.trim()) showClient($("#client-search").value.trim());
  });
  $("#client-search").addEventListener("input", redraw);
  $("#client-status").addEventListener("change", redraw);
  for (const [id, by] of [["#client-before", -1], ["#client-after", 1]]) {
    $(id).addEventListener("click", () => {
      page += by;
      draw();
    });
  }
  $("#client-new").addEventListener("click", () => signedIn(() => actions.create(refresh)));
  $("#revoke").addEventListener("click", () => open("Revoke tokens", (close) => {
    const choice = (text, action, kind) => h("button", { type: "button", class: kind, click: () => { close(); signedIn(action); } }, text);
    return [
      h("p", {}, "Of one client: open the client. Otherwise:"),
      h("div", { class: "actions" }, choice("One token", () => actions.revokeOne(), ""), choice("Every token of everybody", actions.revokeAll, "danger"), h("button", { type: "button", click: close }, "Cancel")),
    ];
  }));
  const offer = () => {
    for (const id of ["#client-new", "#revoke"]) $(id).hidden = !mayChange();
  };
  session.onChange(offer);
  offer();
  return isSignedIn;
}
