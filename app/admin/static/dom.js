// Elements without a template: text is always text, so nothing that comes from outside is markup.

export const $ = (selector, root = document) => root.querySelector(selector);

/** Make an element. Functions become listeners, true an empty attribute, null none at all. */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return element;
}

/** Show a line at the foot of the page for a while; screen readers say it. */
export function note(text, kind = "") {
  const line = h("p", { class: `note ${kind}` }, text);
  $("#notes").append(line);
  setTimeout(() => line.remove(), 6000);
}

/** A time as the reader's clock has it, with the exact one behind it. */
export function time(epochS, withDate = true) {
  if (!epochS) return h("span", { class: "muted" }, "never");
  const moment = new Date(epochS * 1000);
  const clock = moment.toLocaleTimeString("en-GB");
  const isToday = moment.toDateString() === new Date().toDateString();
  const day = moment.toLocaleDateString("en-CA");
  return h(
    "time",
    { datetime: moment.toISOString(), title: moment.toISOString() },
    isToday || !withDate ? clock : `${day} ${clock}`,
  );
}
