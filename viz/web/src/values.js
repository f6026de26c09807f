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
      return { values: gap, limits: limits || [-1, 1], diverging: true,
        clear: now ? null : this.clear(layer, run) };
    }
    const limits = now ? about.scale : about.whole;
    return { values: this.of(layer, run, time), limits, diverging: limits[0] < 0, clear: null };
  }

  /** Paint the streets' texels (rgba; alpha 0 is no band). */
  paint(texels, { values, limits, diverging, clear }, theme) {
    const table = this.tables[theme][diverging ? "diverging" : "sequential"];
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
