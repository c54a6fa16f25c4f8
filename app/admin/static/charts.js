// Charts, drawn by uPlot on a canvas; what they say is in their legends too, as text.

import { h } from "./dom.js";

const HEIGHT = 148;
const cross = globalThis.uPlot.sync("live");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();

/** One chart. `format` writes a value; `most` fixes the top of the scale. */
export class Chart {
  #plot = null;
  #lines = [];
  #data = [[]];
  #hidden = new Set();

  constructor({ title, hint, format, most = null, isLogarithmic = false, isBinary = false }) {
    Object.assign(this, { title, format, most, isLogarithmic, isBinary });
    this.legend = h("ul", { class: "legend" });
    this.plotted = h("div", { class: "plot", role: "img" });
    this.empty = h("p", { class: "plot-empty muted" }, "nothing yet");
    this.element = h(
      "figure",
      { class: "card chart" },
      h("figcaption", {}, h("h2", {}, title), hint ? h("span", { class: "muted" }, hint) : null),
      this.plotted,
      this.empty,
      this.legend,
    );
    new ResizeObserver(() => this.#fit()).observe(this.element);
    document.addEventListener("theme", () => this.#rebuild());
  }

  /** Show lines `{name, colour, values}` over times, epoch seconds, up to the newest. */
  show(times, lines, fromS, toS) {
    const key = (those) => those.map((line) => line.name).join("\n");
    const isOther = key(lines) !== key(this.#lines);
    this.#lines = lines;
    this.#data = [times, ...lines.map((line) => line.values)];
    this.range = [fromS, toS];
    this.empty.hidden = lines.some((line) => line.values.some((value) => value !== null));
    if (isOther || !this.#plot) this.#rebuild();
    else this.#plot.setData(this.#data);
    this.#say();
  }

  #rebuild() {
    this.#plot?.destroy();
    this.#plot = null;
    if (!this.#lines.length) return;
    this.legend.replaceChildren(...this.#lines.map((line) => this.#legendItem(line)));
    const width = Math.max(200, this.plotted.clientWidth);
    this.#plot = new globalThis.uPlot(this.#options(width), this.#data, this.plotted);
    this.#say();
  }

  #options(width) {
    const axis = { stroke: colour("muted"), font: "11px system-ui, sans-serif", grid: { stroke: colour("grid"), width: 1 }, ticks: { show: false } };
    return {
      width,
      height: HEIGHT,
      padding: [8, 16, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: cross.key }, drag: { x: false, y: false }, points: { size: 6 }, y: false },
      scales: {
        x: { time: true, range: () => this.range },
        y: { distr: this.isLogarithmic ? 3 : 1, range: this.isLogarithmic ? undefined : (_, __, most) => [0, this.most ?? top(most)] },
      },
      axes: [
        { ...axis, size: 24, space: 70, values: [[60, "{HH}:{mm}"], [1, "{HH}:{mm}:{ss}"]] },
        { ...axis, ...this.#steps(), size: 58, gap: 4, space: 26, values: (_, values) => values.map(this.format) },
      ],
      series: [{}, ...this.#lines.map((line) => this.#series(line))],
      hooks: { setCursor: [() => this.#say()] },
    };
  }

  /** Where the lines of the grid are: at powers of ten, of two, or where uPlot finds it best. */
  #steps() {
    if (this.isBinary) return { incrs: Array.from({ length: 44 }, (_, power) => 2 ** power) };
    if (!this.isLogarithmic) return {};
    const powers = Array.from({ length: 12 }, (_, power) => 10 ** (power - 9));
    return { splits: (_, __, least, most) => powers.filter((power) => power >= least && power <= most * 1.0001), filter: (_, splits) => splits };
  }

  #series({ name, colour: of, isFilled, spansGaps = false }) {
    const stroke = colour(of);
    return { label: name, stroke, width: 1.5, fill: isFilled ? `${stroke}26` : undefined, points: { show: false }, spanGaps: spansGaps, show: !this.#hidden.has(name) };
  }

  /** A name and its value now, or where the pointer is; pressed, the line is hidden. */
  #legendItem({ name, colour: of }) {
    const press = ({ currentTarget }) => {
      const isHidden = !this.#hidden.delete(name) && Boolean(this.#hidden.add(name));
      currentTarget.setAttribute("aria-pressed", String(!isHidden));
      this.#plot.setSeries(this.#lines.findIndex((line) => line.name === name) + 1, { show: !isHidden });
    };
    const swatch = h("i", { class: `swatch ${of}`, "aria-hidden": "true" });
    const button = h("button", { type: "button", "aria-pressed": String(!this.#hidden.has(name)), click: press }, swatch, h("span", {}, name), h("b", {}));
    return h("li", {}, button);
  }

  #say() {
    const index = this.#plot?.cursor.idx ?? null;
    const said = this.#lines.map((line, number) => {
      const text = this.format(index === null ? latest(line.values) : line.values[index]);
      this.legend.children[number].querySelector("b").textContent = text;
      return `${line.name} ${text}`;
    });
    if (index === null) this.plotted.setAttribute("aria-label", `${this.title}: ${said.join(", ") || "nothing yet"}`);
  }

  #fit() {
    const width = this.plotted.clientWidth;
    if (this.#plot && width && Math.abs(width - this.#plot.width) > 1) this.#plot.setSize({ width, height: HEIGHT });
  }
}

/** The newest value, unless it is more than a moment old. */
const latest = (values) => values.slice(-3).findLast((value) => value !== null) ?? null;

/** Some air above the highest value; an empty chart is one high. */
const top = (most) => (most > 0 ? most * 1.12 : 1);
