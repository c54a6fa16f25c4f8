// The views and the way between them: the part of the address after # names one.

import * as clients from "./clients.js";
import { $, note } from "./dom.js";
import * as explain from "./explain.js";
import * as live from "./live.js";
import * as session from "./session.js";
import { audit, refusals } from "./trails.js";

const views = { live, clients, refusals: refusals(), audit: audit(), explain };
let shown = null;

function go(hasFocus) {
  const name = Object.hasOwn(views, location.hash.slice(1)) ? location.hash.slice(1) : "live";
  if (name === shown) return;
  if (shown) {
    views[shown].hide();
    $(`#view-${shown}`).hidden = true;
  }
  shown = name;
  $(`#view-${name}`).hidden = false;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#${name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${$(`#title-${name}`).textContent} · Portcullis`;
  views[name].show();
  if (hasFocus) $(`#title-${name}`).focus({ preventScroll: true });
  scrollTo(0, 0);
}

$("#theme").addEventListener("click", () => globalThis.switchTheme());
// A slash leads to the search of a view, as it does elsewhere.
document.addEventListener("keydown", (event) => {
  const isTyping = event.target.closest("input, textarea, select, dialog");
  const search = $("main > section:not([hidden]) input[type=search]");
  if (event.key !== "/" || isTyping || !search) return;
  event.preventDefault();
  search.focus();
});
addEventListener("hashchange", () => go(true));
$(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  $("#content").focus();
});

live.begin(([kind, text]) => {
  const state = $("#state");
  if (state.textContent !== text) state.textContent = text;
  state.className = `pill ${kind}`;
});
explain.begin();
go(false);
session.begin().then(clients.begin, (refusal) => note(refusal.message, "bad"));
