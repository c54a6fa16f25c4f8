// Questions in a box of their own. The browser keeps the focus inside, Escape leaves.

import { h } from "./dom.js";

/** Open a dialog; `build` gets a function that closes it. Focus goes back to where it was. */
export function open(title, build, { canEscape = true, isWide = false } = {}) {
  const before = document.activeElement;
  const dialog = h("dialog", { "aria-labelledby": "dialog-title", class: isWide ? "wide" : "" });
  const gone = () => {
    if (!dialog.isConnected) return;
    dialog.remove();
    if (before?.isConnected) before.focus();
  };
  const close = () => {
    dialog.close();
    gone(); // at once, with the secret it may show; the event comes later
  };
  dialog.append(h("h2", { id: "dialog-title" }, title), ...[build(close)].flat());
  dialog.addEventListener("cancel", (event) => canEscape || event.preventDefault());
  // A second Escape would close it whatever its cancel event is told.
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && !canEscape) event.preventDefault();
  });
  dialog.addEventListener("close", gone);
  document.body.append(dialog);
  dialog.showModal();
  (dialog.querySelector("[autofocus]") ?? dialog.querySelector("input, select, button"))?.focus();
  return dialog;
}

/** A form in a dialog. `send` gets its values; what it throws is shown, and the form stays. */
export function ask({ title, text, fields = [], confirm, isDangerous = false, send }) {
  open(title, (close) => {
    const problem = h("p", { class: "problem", role: "alert" });
    const go = h("button", { type: "submit", class: isDangerous ? "danger" : "primary" }, confirm);
    const submit = async (event) => {
      event.preventDefault();
      problem.textContent = "";
      go.disabled = true;
      try {
        await send(Object.fromEntries(new FormData(event.target)));
        close();
      } catch (refusal) {
        problem.textContent = refusal.message;
      } finally {
        go.disabled = false;
      }
    };
    return h(
      "form",
      { class: "form", submit },
      [text].flat().map((line) => (line ? h("p", {}, line) : null)),
      fields.map(field),
      problem,
      h("div", { class: "actions" }, go, h("button", { type: "button", click: close }, "Cancel")),
    );
  });
}

function field({ label, hint, options, ...attributes }) {
  const input = options
    ? h("select", attributes, options.map(([value, text]) => h("option", { value }, text)))
    : h("input", { autocomplete: "off", spellcheck: "false", ...attributes });
  return h("label", {}, label, input, hint ? h("small", { class: "muted" }, hint) : null);
}

/** Ask for something that cannot be undone: what is typed must be `word`. */
export function confirmTyped({ title, text, word, confirm, send }) {
  ask({
    title,
    text,
    confirm,
    isDangerous: true,
    fields: [{ label: `Type ${word} to confirm`, name: "typed", required: true, autofocus: true }],
    send: ({ typed }) => {
      if (typed.trim() !== word) throw new Error(`That is not ${word}.`);
      return send();
    },
  });
}

/** Show a new secret, this once. Escape does not close it: nobody could get it back. */
export function showSecret({ client_id: clientId, client_secret: secret, previous }) {
  const lines = { client_id: clientId, client_secret: secret };
  const rows = Object.entries(lines).map(([name, value]) => {
    const shown = h("code", { class: "secret", tabindex: "0", "data-field": name }, value);
    const copy = async ({ currentTarget }) => {
      await navigator.clipboard.writeText(value);
      currentTarget.textContent = "Copied";
    };
    return [h("dt", {}, name), h("dd", {}, shown, h("button", { type: "button", class: "quiet", click: copy }, "Copy"))];
  });
  const kept = previous ? `Secret ${previous.secret_id} stays good until ${new Date(previous.not_after_s * 1000).toLocaleString("en-GB")}.` : null;
  open(
    "Keep this secret now",
    (close) => [
      h("p", {}, "It is not stored, only a keyed hash of it, and cannot be shown again."),
      h("dl", { class: "secrets" }, rows.flat()),
      kept ? h("p", {}, kept) : "",
      h("div", { class: "actions" }, h("button", { type: "button", class: "primary", click: close }, "I have kept it")),
    ],
    { canEscape: false, isWide: true },
  );
}
