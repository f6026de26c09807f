// Values of streets: which interval holds, their colours, and numbers in words.

/** Colour table of 256 entries from the header's hex text. */
export function tableOf(hex) {
  const out = new Uint8Array(768);
  for (let k = 0; k < 768; k++) out[k] = parseInt(hex.substr(2 * k, 2), 16);
  return out;
}

/** Index of the interval that holds at a second of the day; 0 where there is but one. */
export function intervalAt(starts, time) {
  let k = 0;
  while (k + 1 < starts.length && starts[k + 1] <= time) k++;
  return k;
}

/** Whether high values take the low end's colours: where more is better, so that worse looks alike in every layer. */
export function flipped(about, difference) {
  return about.better === "higher" && (difference || about.whole[0] >= 0);
}

/** A table the other way round. */
export function turnedTable(table) {
  return Uint8Array.from(table, (_, k) => table[765 - 3 * Math.floor(k / 3) + (k % 3)]);
}

/** Whether values lie below and above the limits, by more than they are rounded by. */
export function outside({ values, limits: [low, high] }) {
  const room = 1e-3 * (high - low);
  return [values.some((v) => v < low - room), values.some((v) => v > high + room)];
}

export class Values {
  constructor(header, array) {
    this.header = header;
    this.array = array;
    this.kept = new Map();
    const { palette } = header;
    this.tables = {
      light: { sequential: tableOf(palette.sequential), diverging: tableOf(palette.diverging) },
      dark: { sequential: tableOf(palette.sequential_dark), diverging: tableOf(palette.diverging_dark) },
    };
    this.both = array("street.both");
  }

  layer(name) {
    return this.header.layers.find((l) => l.name === name) || null;
  }

  grid(layer, run) {
    const key = `value.${layer}.${this.header.runs[run].name}`;
    if (!this.kept.has(key)) this.kept.set(key, this.array(key));
    return this.kept.get(key);
  }

  clear(layer, run) {
    const key = `clear.${layer}.${this.header.runs[run].name}`;
    if (!this.kept.has(key)) this.kept.set(key, this.array(key));
    return this.kept.get(key);
  }

  /** Values of all streets: at a time, or over the whole period where `time` is null. */
  of(layer, run, time) {
    const { starts } = this.layer(layer);
    const grid = this.grid(layer, run);
    const n = this.both.length;
    if (starts.length < 2) return grid;
    if (time !== null) {
      const k = intervalAt(starts, time);
      return grid.subarray(k * n, (k + 1) * n);
    }
    const key = `sum.${layer}.${run}`;
    if (!this.kept.has(key)) {
      const sum = new Float64Array(n);
      for (let k = 0; k < grid.length; k++) sum[k % n] += grid[k];
      this.kept.set(key, sum);
    }
    return this.kept.get(key);
  }

  /** What streets show: values, limits of the scale, and whether it diverges. */
  shown(layer, mode, run, base, time) {
    const about = this.layer(layer);
    const many = about.starts.length > 1;
    const now = many && time !== null;
    if (mode === "difference") {
      const limits = now ? about.gap : about.wholeGap;
      const [a, b] = [this.of(layer, base, time), this.of(layer, run, time)];
      const gap = Float64Array.from(b, (v, k) => v - a[k]);
      return { values: gap, limits: limits || [-1, 1], diverging: true, flipped: flipped(about, true),
        clear: now ? null : this.clear(layer, run) };
    }
    const limits = now ? about.scale : about.whole;
    return { values: this.of(layer, run, time), limits, diverging: limits[0] < 0, flipped: flipped(about, false), clear: null };
  }

  /** Colours of 256 steps from the scale's low end to its high one. */
  table(theme, diverging, turned) {
    const table = this.tables[theme][diverging ? "diverging" : "sequential"];
    return turned ? turnedTable(table) : table;
  }

  /** Whether any street's value lies below and above the scale's ends; of all intervals where `now`. */
  beyond(layer, mode, run, now) {
    const key = `beyond.${layer}.${mode}.${run}.${now}`;
    if (!this.kept.has(key)) {
      const { starts } = this.layer(layer);
      const times = now && starts.length > 1 ? starts : [null];
      this.kept.set(key, times.map((time) => this.shown(layer, mode, run, 0, time)).map(outside)
        .reduce((a, b) => [a[0] || b[0], a[1] || b[1]]));
    }
    return this.kept.get(key);
  }

  /** Paint the streets' texels (rgba; alpha 0 is no band). */
  paint(texels, { values, limits, diverging, flipped: turned, clear }, theme) {
    const table = this.table(theme, diverging, turned);
    const [low, high] = limits;
    const least = (high - low) * 0.004;
    for (let k = 0; k < values.length; k++) {
      const v = values[k];
      const o = 4 * k;
      texels[o + 3] = 0;
      if (!Number.isFinite(v) || Math.abs(v) < least) continue;
      const at = Math.round(255 * Math.min(1, Math.max(0, (v - low) / (high - low))));
      for (let c = 0; c < 3; c++) texels[o + c] = table[3 * at + c];
      texels[o + 3] = clear && !clear[k] ? 150 : 255;
    }
  }
}
