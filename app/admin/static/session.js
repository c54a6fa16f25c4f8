// Signing in and out. Without ADMIN_TOKEN on the gateway there is nothing to sign in to.

import { get, post, session } from "./api.js";
import { ask } from "./dialogs.js";
import { $, note } from "./dom.js";

let canChange = false;

/** Whether changes may be asked for now. */
export const isSignedIn = () => canChange && Boolean(session.token);
export const mayChange = () => canChange;

export function signIn(andThen = () => {}) {
  ask({
    title: "Sign in",
    text: "With the admin token of this gateway (ADMIN_TOKEN). It is kept for this tab, for eight hours at most.",
    confirm: "Sign in",
    fields: [{ label: "Admin token", name: "token", type: "password", required: true, autocomplete: "current-password", autofocus: true }],
    send: async ({ token }) => {
      session.set((await post("session", { token })).session);
      note("Signed in.", "good");
      andThen();
    },
  });
}

/** Do something that needs a session, after signing in where that has not been done. */
export const signedIn = (action) => (isSignedIn() ? action() : signIn(action));

export async function begin() {
  const about = await get("about");
  canChange = about.can_change;
  $("#issuer").textContent = about.issuer;
  if (session.token && !about.is_signed_in) session.set(null);
  const button = $("#sign");
  const show = () => {
    button.hidden = !canChange;
    button.textContent = isSignedIn() ? "Sign out" : "Sign in";
  };
  button.addEventListener("click", () => (isSignedIn() ? session.set(null) : signIn()));
  session.onChange(show);
  show();
}
