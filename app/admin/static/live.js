// The first view: how the gateway is, now and over the last minutes.

import { get } from "./api.js";
import { Chart } from "./charts.js";
import { $, h } from "./dom.js";
import * as format from "./format.js";
import { labelsOf, recent, Samples } from "./samples.js";

const PERIOD_MS = 2000;
const SHADES = ["c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8"];
const shades = new Map();
const UNDECIDED = ["store_unavailable", "overloaded"];
const DURATION = "portcullis_request_duration_seconds";
const PROPAGATION = "portcullis_revocation_propagation_seconds";
const reason = (name) => `portcullis_decisions_total{reason="${name}"}`;
const answers = (endpoint, code) => `portcullis_requests_total{endpoint="${endpoint}",code="${code}"}`;

const samples = new Samples();
let windowS = 300;

const refusals = (stretch) =>
  stretch.named("portcullis_decisions_total").map((name) => labelsOf(name).reason).filter((name) => name !== "ok");

/** What the gate refused for a reason of the token's, and what it could not decide, apart. */
function throughput(stretch) {
  const refused = refusals(stretch).filter((name) => !UNDECIDED.includes(name));
  return [
    { name: "allowed", colour: "good", isFilled: true, values: stretch.rate(reason("ok")) },
    { name: "refused", colour: "warn", values: stretch.rate(...refused.map(reason)) },
    { name: "undecided", colour: "bad", values: stretch.rate(...UNDECIDED.map(reason)) },
  ];
}

const percentiles = (stretch, endpoint) =>
  [["p50", 0.5, "c1"], ["p95", 0.95, "c5"], ["p99", 0.99, "c2"]].map(([name, fraction, colour]) => ({
    name, colour, values: stretch.percentile(DURATION, { endpoint }, fraction),
  }));

/** The commonest reasons that there have been. A reason keeps its colour while it is shown. */
function byReason(stretch) {
  const shown = refusals(stretch)
    .map((name) => ({ name, values: stretch.rate(reason(name)) }))
    .map((line) => ({ ...line, sum: line.values.reduce((sum, value) => sum + (value ?? 0), 0) }))
    .filter((line) => line.sum > 0)
    .sort((one, other) => other.sum - one.sum)
    .slice(0, SHADES.length);
  for (const name of shades.keys()) if (!shown.some((line) => line.name === name)) shades.delete(name);
  for (const { name } of shown) {
    if (!shades.has(name)) shades.set(name, SHADES.find((shade) => ![...shades.values()].includes(shade)));
  }
  const sorted = shown.sort((one, other) => (one.name < other.name ? -1 : 1));
  return sorted.map((line) => ({ ...line, colour: shades.get(line.name) }));
}

const commonest = (lines) => lines.reduce((most, line) => (line.sum > (most?.sum ?? 0) ? line : most), null)?.name;

const minted = (stretch, endpoint) => {
  const counted = answers(endpoint, 200);
  const plain = endpoint === "ott" ? "portcullis_one_time_tokens_minted_total" : "portcullis_tokens_minted_total";
  return stretch.rate(stretch.named(counted).length ? counted : plain);
};

const minting = (stretch) => [
  { name: "minted", colour: "c1", values: minted(stretch, "token") },
  { name: "one-time", colour: "c3", values: minted(stretch, "ott") },
  { name: "revoked", colour: "c2", values: stretch.rate("portcullis_tokens_revoked_total") },
];

const perWorker = (metric, values) => (stretch) =>
  stretch.named(metric).sort().map((name, index) => ({
    name: `worker ${labelsOf(name).worker}`, colour: SHADES[index % SHADES.length], values: values(stretch, name),
  }));

const CHARTS = [
  [{ title: "Decisions", hint: "per second", format: format.count }, throughput],
  [{ title: "Time to decide", hint: "inside the app", format: format.seconds, isLogarithmic: true }, (stretch) => percentiles(stretch, "validate")],
  [{ title: "Refusals by reason", hint: "per second", format: format.count }, byReason],
  [{ title: "Tokens found in memory", hint: "share of decisions", format: format.percent, most: 100 }, (stretch) => [
    { name: "hit rate", colour: "good", isFilled: true, values: stretch.share("portcullis_warm_token_hits_total", "portcullis_warm_token_misses_total") },
  ]],
  [{ title: "Minted and revoked", hint: "per second", format: format.count }, minting],
  [{ title: "Time to mint", hint: "inside the app", format: format.seconds, isLogarithmic: true }, (stretch) => percentiles(stretch, "token")],
  [{ title: "CPU", hint: "share of a core, by worker", format: format.percent }, perWorker("portcullis_worker_cpu_seconds_total", (stretch, name) =>
    stretch.rate(name).map((value) => (value === null ? null : 100 * value)))],
  [{ title: "Memory", hint: "resident, by worker", format: format.bytes, isBinary: true }, perWorker("portcullis_worker_resident_memory_bytes", (stretch, name) => stretch.gauge(name))],
  // One canary every few seconds: the line goes on from one to the next.
  [{ title: "Revocation announced", hint: "from a canary's writer to its listener", format: format.seconds, isLogarithmic: true }, (stretch) => [
    { name: "half within", colour: "c1", spansGaps: true, values: stretch.percentile(PROPAGATION, {}, 0.5) },
    { name: "99 % within", colour: "c2", spansGaps: true, values: stretch.percentile(PROPAGATION, {}, 0.99) },
  ]],
  [{ title: "Redis round trip", hint: "of one question every two seconds", format: format.seconds }, (stretch) => [
    { name: "round trip", colour: "c4", isFilled: true, values: stretch.gauge("redis_round_trip_seconds").map((value) => value || null) },
  ]],
  [{ title: "Redis commands", hint: "per second, all clients of it", format: format.count }, (stretch) => [
    { name: "commands", colour: "c6", isFilled: true, values: stretch.gauge("redis_operations_per_second") },
  ]],
  [{ title: "Redis memory", hint: "in use", format: format.bytes, isBinary: true }, (stretch) => [
    { name: "in use", colour: "c3", isFilled: true, values: stretch.gauge("redis_used_memory_bytes").map((value) => value || null) },
  ]],
].map(([options, lines]) => ({ chart: new Chart(options), lines }));

function tiles(stretch) {
  const [allowed, refused, undecided] = throughput(stretch).map((line) => recent(line.values) ?? 0);
  const decisions = allowed + refused + undecided;
  const reasonNow = commonest(byReason(stretch));
  const [p50, , p99] = percentiles(stretch, "validate").map((line) => recent(line.values));
  const hits = recent(stretch.share("portcullis_warm_token_hits_total", "portcullis_warm_token_misses_total"));
  const [mints, once, revoked] = minting(stretch).map((line) => recent(line.values) ?? 0);
  return [
    ["Decisions", format.perSecond(decisions), decisions ? `${format.percent((100 * allowed) / decisions)} allowed` : "no calls", undecided ? "bad" : ""],
    ["Refused", format.perSecond(refused + undecided), undecided ? `${format.perSecond(undecided)} undecided` : reasonNow ? `mostly ${reasonNow}` : "none", undecided ? "bad" : ""],
    ["Time to decide", format.seconds(p50), `p50; p99 ${format.seconds(p99)}`, ""],
    ["Found in memory", format.percent(hits), `${format.whole(stretch.newest("portcullis_warm_tokens"))} tokens there`, ""],
    ["Minted", format.perSecond(mints + once), `${format.perSecond(revoked)} revoked`, ""],
    ...states(stretch),
  ];
}

function states(stretch) {
  const of = (name) => stretch.newest(name);
  const [workers, fed] = [of("portcullis_workers"), of("portcullis_fed_workers")];
  const [used, most] = [of("redis_used_memory_bytes"), of("redis_max_memory_bytes")];
  const taken = of("snapshot_taken_seconds");
  const memory = `${format.bytes(used)}${most ? ` of ${format.bytes(most)}` : ""}`;
  const isUp = of("redis_up") === 1;
  return [
    ["Feed of changes", workers === null ? "–" : `${fed} of ${workers}`, fed < workers ? "others ask every time" : "workers told at once", fed < workers ? "warn" : "good"],
    ["Redis", isUp ? "up" : "away", isUp ? memory : "calls are refused", isUp ? (of("redis_aof_ok") ? "good" : "warn") : "bad"],
    ["Last snapshot", taken ? `${format.span(Date.now() / 1000 - taken)} ago` : "never", taken ? new Date(taken * 1000).toLocaleString("en-GB") : "none in Postgres", taken ? "" : "muted"],
  ];
}

function draw() {
  const stretch = samples.last(windowS);
  if (!stretch.times.length) return;
  const toS = stretch.times.at(-1);
  $("#tiles").replaceChildren(...tiles(stretch).map(([label, value, more, kind]) =>
    h("div", { class: `tile ${kind}` }, h("dt", {}, label), h("dd", {}, h("strong", {}, value), h("small", {}, more)))));
  for (const { chart, lines } of CHARTS) chart.show(stretch.times, lines(stretch), toS - windowS, toS);
}

/** Take in all samples that there are; an answer holds some only. Return whether any was new. */
async function catchUp() {
  let isNew = false;
  for (let isAll = false; !isAll; ) {
    const { parts, is_all: hasAll } = await get("samples", { after: samples.newestS || "" });
    const hasMore = samples.add(parts);
    isNew ||= hasMore;
    isAll = hasAll || !hasMore;
  }
  return isNew;
}

let isShown = false;
export const show = () => {
  isShown = true;
  draw();
};
export const hide = () => {
  isShown = false;
};

/** Ask for new samples again and again; tell `onState` how the gateway is. */
export function begin(onState) {
  $("#charts").append(...CHARTS.map(({ chart }) => chart.element));
  for (const button of document.querySelectorAll("[data-window]")) {
    button.addEventListener("click", () => {
      windowS = Number(button.dataset.window);
      for (const other of document.querySelectorAll("[data-window]")) other.setAttribute("aria-pressed", String(other === button));
      draw();
    });
  }
  const ask = async () => {
    try {
      const isNew = await catchUp();
      const now = samples.last(windowS);
      onState(now.newest("redis_up") === 0 ? ["bad", "Redis is away"] : Date.now() / 1000 - samples.newestS > 20 ? ["warn", "no new samples"] : ["good", "live"]);
      if (isNew && isShown) draw();
    } catch (refusal) {
      onState(["bad", refusal.status ? "cannot be read" : "does not answer"]);
    }
    setTimeout(ask, document.hidden ? 10 * PERIOD_MS : PERIOD_MS);
  };
  document.addEventListener("visibilitychange", () => document.hidden || draw());
  ask();
}
