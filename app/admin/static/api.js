// Questions to the gateway. A session is kept for this tab alone, and travels in a header only.

const KEY = "portcullis.session";

/** What the gateway said no with. */
export class Refusal extends Error {
  constructor(status, error, text) {
    super(text);
    this.status = status;
    this.error = error;
  }
}

const listeners = new Set();

export const session = {
  get token() {
    return sessionStorage.getItem(KEY);
  },
  set(token) {
    if (token) sessionStorage.setItem(KEY, token);
    else sessionStorage.removeItem(KEY);
    for (const listener of listeners) listener(Boolean(token));
  },
  onChange(listener) {
    listeners.add(listener);
  },
};

export const get = (path, query = {}) => {
  const kept = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const search = new URLSearchParams(kept).toString();
  return ask(`api/${path}${search ? `?${search}` : ""}`, {});
};

export const post = (path, document = {}) =>
  ask(`api/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(document),
  });

/** The gateway's own explanation of a token; a form, as `token why` sends it. */
export const explain = (fields) => ask("../explain", { method: "POST", body: new URLSearchParams(fields) });

async function ask(path, options) {
  const headers = { ...options.headers };
  if (session.token) headers.Authorization = `Bearer ${session.token}`;
  const answer = await fetch(path, {
    ...options,
    headers,
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
    signal: AbortSignal.timeout(8000),
  }).catch(() => {
    throw new Refusal(0, "no_answer", "The gateway does not answer.");
  });
  const document = await answer.json().catch(() => ({}));
  if (answer.ok) return document;
  if (answer.status === 401 && document.error === "not_signed_in" && session.token) session.set(null);
  throw new Refusal(answer.status, document.error, document.error_description || `The gateway answers ${answer.status}.`);
}
