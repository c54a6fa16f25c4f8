// Numbers for people: three digits, and the unit that fits.

const known = (format) => (value) =>
  value === null || value === undefined || Number.isNaN(value) ? "–" : format(value);

function digits(value) {
  const size = Math.abs(value);
  const text = value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
  return text.includes(".") ? text.replace(/\.?0+$/, "") : text;
}

function scaled(value, steps) {
  const [size, unit] = steps.find(([step]) => Math.abs(value) >= step) ?? steps.at(-1);
  return digits(value / size) + unit;
}

export const whole = known((value) => Math.round(value).toLocaleString("en"));
export const count = known((value) => {
  if (Math.abs(value) < 1e4) return Math.abs(value) < 100 ? digits(value) : whole(value);
  return scaled(value, [[1e9, " G"], [1e6, " M"], [1e3, " k"]]);
});
export const perSecond = known((value) => `${count(value)}/s`);
export const percent = known((value) => `${digits(value)} %`);
export const seconds = known((value) => (value ? scaled(value, [[1, " s"], [1e-3, " ms"], [1e-6, " µs"]]) : "0"));
export const bytes = known((value) => scaled(value, [[2 ** 30, " GiB"], [2 ** 20, " MiB"], [2 ** 10, " KiB"], [1, " B"]]));

/** A length of time, in the largest unit that says something. */
export const span = known((value) => {
  const [, size, unit] = [
    [172_800, 86_400, "d"],
    [7200, 3600, "h"],
    [120, 60, "min"],
    [-Infinity, 1, "s"],
  ].find(([least]) => value >= least);
  return `${Math.max(0, Math.floor(value / size))} ${unit}`;
});
