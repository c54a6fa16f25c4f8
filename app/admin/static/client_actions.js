// What can be done to clients and tokens, each after a question.

import { post } from "./api.js";
import { ask, confirmTyped, showSecret } from "./dialogs.js";
import { note } from "./dom.js";

const GRACES = [[86_400, "a day"], [3600, "an hour"], [604_800, "a week"], [0, "not at all: it ends now"]];
const numberOf = (text) => (text ? Number(text) : null);

export function create(done) {
  ask({
    title: "New client",
    confirm: "Create",
    fields: [
      { label: "Client id", name: "client_id", required: true, maxlength: 64, pattern: "[A-Za-z0-9][A-Za-z0-9._\\-]*", autofocus: true },
      { label: "Name", name: "name", maxlength: 128, hint: "For people. The id when empty." },
      { label: "Scopes", name: "scopes", required: true, hint: "Separated by spaces: all that it may ask for." },
      { label: "Audiences", name: "audiences", hint: "Separated by spaces, the first by default. The server's when empty." },
      { label: "Lifetime of its tokens, seconds", name: "ttl_s", type: "number", min: 1, max: 86_400, hint: "The server's when empty." },
      { label: "Calls a second", name: "rate_per_s", type: "number", min: 1, max: 1_000_000, hint: "As many as it likes when empty." },
    ],
    send: async (values) => {
      const made = await post("clients", { ...values, ttl_s: numberOf(values.ttl_s), rate_per_s: numberOf(values.rate_per_s) });
      done(made.client_id);
      showSecret(made);
    },
  });
}

const change = (clientId, name, document) => post(`clients/${encodeURIComponent(clientId)}/${name}`, document);

export function disable(clientId, done) {
  confirmTyped({
    title: `Disable ${clientId}?`,
    text: "It mints nothing, and its tokens are refused from now on. Enabling it brings back those that have not expired.",
    word: clientId,
    confirm: "Disable",
    send: async () => {
      await change(clientId, "disable");
      note(`${clientId} is disabled.`, "good");
      done(clientId);
    },
  });
}

export function enable(clientId, done) {
  ask({
    title: `Enable ${clientId}?`,
    text: "It may mint again, and its tokens that have not expired are good again.",
    confirm: "Enable",
    send: async () => {
      await change(clientId, "enable");
      note(`${clientId} is enabled.`, "good");
      done(clientId);
    },
  });
}

export function rotate(clientId, done) {
  ask({
    title: `New secret for ${clientId}?`,
    text: "The new one is good at once and is shown once.",
    confirm: "Make a new secret",
    fields: [{ label: "The secret until now stays good for", name: "grace_s", options: GRACES, autofocus: true }],
    send: async ({ grace_s: graceS }) => {
      const made = await change(clientId, "rotate", { grace_s: Number(graceS) });
      done(clientId);
      showSecret(made);
    },
  });
}

export function revokeClient(clientId, done) {
  confirmTyped({
    title: `Revoke every token of ${clientId}?`,
    text: "The tokens that it has now are dead for good. It may mint new ones: to shut it out, disable it.",
    word: clientId,
    confirm: "Revoke",
    send: async () => {
      await change(clientId, "revoke");
      note(`Every token of ${clientId} is dead.`, "good");
      done(clientId);
    },
  });
}

export function revokeOne(given = "") {
  ask({
    title: "Revoke one token",
    text: "The next request with it is refused, everywhere.",
    confirm: "Revoke",
    isDangerous: true,
    fields: [{ label: "The token, or its jti", name: "named", required: true, value: given, autofocus: true }],
    send: async ({ named }) => {
      const text = named.trim();
      // A token has three parts; a jti has two.
      const answer = await post("revocations", text.split(".").length === 3 ? { token: text } : { jti: text });
      note(answer.expired ? "It has expired: there is nothing to revoke." : `Token ${answer.jti} is dead.`, "good");
    },
  });
}

export function revokeAll() {
  confirmTyped({
    title: "Revoke every token of every client?",
    text: "All clients have to mint anew, all at once. Calls are refused until they have.",
    word: "everything",
    confirm: "Revoke everything",
    send: async () => {
      await post("revocations", { all: true });
      note("Every token is dead.", "good");
    },
  });
}
