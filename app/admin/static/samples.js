// What was counted, and what follows from it: rates, shares, percentiles.

const KEPT_S = 600;
/** Samples come every two seconds: after a longer silence nothing is known of what was between. */
const LONGEST_GAP_S = 15;
const SERIES = /^([^{]+)(?:\{(.*)\})?$/;

/** The labels of a series: `a="b",c="d"` as an object. */
export function labelsOf(name) {
  const inside = SERIES.exec(name)[2] ?? "";
  return Object.fromEntries([...inside.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key, value]) => [key, value]));
}

export class Samples {
  #rows = [];

  /** Take in the parts that the gateway sent; return whether there was anything new. */
  add(parts) {
    const newest = this.newestS;
    for (const { names, rows } of parts) {
      const at = new Map(names.map((name, index) => [name, index + 1]));
      for (const row of rows) if (row[0] > this.newestS) this.#rows.push({ at, row });
    }
    const earliest = this.newestS - KEPT_S - LONGEST_GAP_S;
    this.#rows = this.#rows.filter(({ row }) => row[0] >= earliest);
    return this.newestS > newest;
  }

  get newestS() {
    return this.#rows.at(-1)?.row[0] ?? 0;
  }

  /** The samples of the last so many seconds, to be computed with. */
  last(windowS) {
    const from = this.newestS - windowS;
    let first = this.#rows.findIndex(({ row }) => row[0] >= from);
    if (first > 0) first -= 1;
    return new Stretch(this.#rows.slice(Math.max(0, first)));
  }
}

/** Some samples in a row. Each array has a value per step between two samples, null where unknown. */
class Stretch {
  constructor(rows) {
    this.rows = rows;
    this.times = rows.slice(1).map(({ row }) => row[0]);
  }

  /** The names of all series of a metric, and nothing but series of it. */
  named(metric) {
    const all = new Set();
    for (const at of new Set(this.rows.map((one) => one.at))) {
      for (const name of at.keys()) if (name === metric || name.startsWith(`${metric}{`)) all.add(name);
    }
    return [...all];
  }

  /** A state, as it was at each sample. */
  gauge(name) {
    return this.rows.slice(1).map(({ at, row }) => (at.has(name) ? row[at.get(name)] : null));
  }

  /** How fast a count grew, per second; the sum where several are named. */
  rate(...names) {
    return this.#steps((grown, tookS) => {
      const known = names.map(grown).filter((value) => value !== null);
      return known.length ? known.reduce((sum, value) => sum + value) / tookS : null;
    });
  }

  #steps(compute) {
    return this.rows.slice(1).map((now, index) => {
      const before = this.rows[index];
      const tookS = now.row[0] - before.row[0];
      if (tookS <= 0 || tookS > LONGEST_GAP_S) return null;
      return compute((name) => growth(before, now, name), tookS);
    });
  }

  /** The share of `part` in `part` and `rest`, in percent; null where there was neither. */
  share(part, rest) {
    return this.#steps((grown) => {
      const [one, other] = [grown(part), grown(rest)];
      return one === null || other === null || one + other === 0 ? null : (100 * one) / (one + other);
    });
  }

  /** A percentile of a histogram, in its unit, taken straight within a bucket as Prometheus does. */
  percentile(metric, labels, fraction) {
    const buckets = this.named(`${metric}_bucket`)
      .map((name) => ({ name, ...labelsOf(name) }))
      .filter((one) => Object.entries(labels).every(([key, value]) => one[key] === value))
      .map(({ name, le }) => ({ name, bound: le === "+Inf" ? Infinity : Number(le) }))
      .sort((one, other) => one.bound - other.bound);
    return this.#steps((grown) => within(buckets.map(({ name, bound }) => [bound, grown(name) ?? 0]), fraction));
  }

  /** The newest value of a series that is not unknown. */
  newest(name) {
    const found = this.rows.at(-1);
    return found?.at.has(name) ? found.row[found.at.get(name)] : null;
  }
}

/** What a count has grown by; one that fell has begun anew. */
function growth(before, now, name) {
  if (!now.at.has(name)) return null;
  const [earlier, later] = [before.at.has(name) ? before.row[before.at.get(name)] : 0, now.row[now.at.get(name)]];
  return later >= earlier ? later - earlier : later;
}

function within(buckets, fraction) {
  const total = buckets.at(-1)?.[1] ?? 0;
  if (total === 0) return null;
  const rank = fraction * total;
  let [lowest, below] = [0, 0];
  for (const [bound, count] of buckets) {
    if (count >= rank && count > below) {
      return bound === Infinity ? lowest : lowest + ((bound - lowest) * (rank - below)) / (count - below);
    }
    if (bound !== Infinity) [lowest, below] = [bound, count];
  }
  return lowest;
}

/** The mean of the last so many values that are known; null when none is. */
export function recent(values, many = 5) {
  const known = values.slice(-many).filter((value) => value !== null);
  return known.length ? known.reduce((sum, value) => sum + value, 0) / known.length : null;
}
