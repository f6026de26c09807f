// Recorded traffic of one run: vehicles on lanes and in junctions, and lights, at a time.
import { follow, nextPassages, NEVER, through } from "./trajectories.js";
import { prefixLengths } from "./geometry.js";

const KINDS = [4.5, 7.1, 12]; // length of a car, a lorry, a bus, m
const STANDS_BELOW = 0.8; // m/s

/** Lines along which vehicles go: places and directions at metres from a line's start. */
export class Ways {
  constructor(count, xy, lengths) {
    this.xy = xy;
    this.from = new Int32Array(count.length + 1);
    for (let k = 0; k < count.length; k++) this.from[k + 1] = this.from[k] + count[k];
    this.prefix = new Array(count.length);
    this.lengths = lengths;
  }

  /** Write x, y and heading of a place on line k into out. */
  at(k, metres, out) {
    const from = this.from[k];
    const count = this.from[k + 1] - from;
    const p = (this.prefix[k] ||= prefixLengths(this.xy, from, count));
    const total = p[count - 1];
    const d = this.lengths ? (metres / Math.max(this.lengths[k], 0.1)) * total : metres;
    let i = 1;
    while (i < count - 1 && p[i] < d) i++;
    const a = (from + i - 1) * 2;
    const [x0, y0, x1, y1] = [this.xy[a], this.xy[a + 1], this.xy[a + 2], this.xy[a + 3]];
    const s = Math.min(1, Math.max(0, (d - p[i - 1]) / Math.max(p[i] - p[i - 1], 1e-6)));
    out[0] = x0 + (x1 - x0) * s;
    out[1] = y0 + (y1 - y0) * s;
    out[2] = Math.atan2(y1 - y0, x1 - x0);
  }
}

export class Traffic {
  constructor(network, array, prefix, begin, tau, spacing) {
    this.network = network;
    this.begin = begin;
    this.tau = tau;
    this.lights = lightsOf(array, prefix);
    const enter = array(`${prefix}.enter`);
    this.any = Boolean(enter && enter.length);
    if (!this.any) return;
    const stay = array(`${prefix}.stay`);
    const share = array(`${prefix}.share`);
    const kind = array(`${prefix}.kind`);
    const vehicle = array(`${prefix}.vehicle`);
    const rows = array(`${prefix}.rows`); // passages of each lane
    const n = enter.length;
    const q = {
      enter: Int32Array.from(enter), leave: new Float64Array(n), speed: new Float32Array(n),
      spacing: new Float32Array(n), before: new Float64Array(n),
    };
    this.first = new Int32Array(rows.length + 1);
    this.most = new Float32Array(rows.length);
    let sum = 0;
    for (let lane = 0, k = 0; lane < rows.length; lane++) {
      this.first[lane + 1] = this.first[lane] + rows[lane];
      for (; k < this.first[lane + 1]; k++) {
        q.leave[k] = stay[k] === 65535 ? NEVER : q.enter[k] + stay[k];
        q.speed[k] = Math.max(0.5, share[k] * network.speed[lane]);
        q.spacing[k] = spacing[kind[vehicle[k]]];
        q.before[k] = sum;
        sum += q.spacing[k];
        this.most[lane] = Math.max(this.most[lane], q.speed[k]);
      }
    }
    this.q = q;
    this.kind = kind;
    this.vehicle = vehicle;
    this.next = nextPassages(vehicle, q.enter, kind.length);
    this.turning = this.passagesByMovement();
    this.room = Math.max(64, kind.length);
    this.at = new Float32Array(this.room * 4);
    this.look = new Float32Array(this.room * 3);
  }

  /** Passages through junctions, by movement and departure. */
  passagesByMovement() {
    const { q, network, next } = this;
    const found = [];
    const lane = new Int32Array(q.enter.length);
    for (let l = 0; l + 1 < this.first.length; l++) lane.fill(l, this.first[l], this.first[l + 1]);
    for (let k = 0; k < next.length; k++) {
      const m = next[k] < 0 ? -1 : network.movement(lane[k], lane[next[k]]);
      if (m >= 0 && q.enter[next[k]] > q.leave[k]) found.push([m, q.leave[k], k]);
    }
    found.sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]);
    return {
      movement: Int32Array.from(found, (f) => f[0]), row: Int32Array.from(found, (f) => f[2]),
      leave: Float64Array.from(found, (f) => f[1]),
      first: bounds(Int32Array.from(found, (f) => f[0]), network.moves.lengths.length),
    };
  }

  /** Fill `at` (x, y, z, heading) and `look` (length, stands, slope) at a second of the day. */
  place(time, heightAt) {
    if (!this.any) return 0;
    const t = (time - this.begin) * 10;
    const { q, network, at, look } = this;
    const out = [0, 0, 0];
    let n = 0;
    let waiting = 0;
    const put = (ways, line, front, v, k) => {
      if (n >= this.room) return;
      const long = KINDS[this.kind[this.vehicle[k]]];
      ways.at(line, Math.max(front - long / 2, 0), out);
      const [x, y, turn] = out;
      const [ahead, aside] = [(Math.cos(turn) * long) / 2, (Math.sin(turn) * long) / 2];
      const [up, down] = [heightAt(x + ahead, y + aside), heightAt(x - ahead, y - aside)];
      at.set([x, y, (up + down) / 2, turn], 4 * n);
      look.set([long, v < STANDS_BELOW ? 1 : 0, (up - down) / long], 3 * n);
      waiting += look[3 * n + 1];
      n++;
    };
    const waits = new Map();
    const { row, leave, movement, first } = this.turning;
    for (let m = 0; m + 1 < first.length; m++) {
      let leader = Infinity;
      const end = first[m + 1];
      for (let j = lowest(leave, first[m], end, t - 6000); j < end && leave[j] <= t; j++) {
        const k = row[j];
        const into = q.enter[this.next[k]];
        if (into <= t) continue;
        const { x, v } = through(t, leave[j], into, network.moves.lengths[m], network.wait[m],
          network.moveSpeed[m], leader);
        put(network.moves, movement[j], x, v, k);
        leader = x - q.spacing[k];
        if (network.wait[m] > 0) waits.set(k, x);
      }
    }
    for (let lane = 0; lane + 1 < this.first.length; lane++) {
      const [first, end] = [this.first[lane], this.first[lane + 1]];
      if (first === end) continue;
      follow(q, first, end, t, network.lanes.lengths[lane], this.most[lane], this.tau,
        (k, x, v) => put(network.lanes, lane, x, v, k), (k) => waits.get(k) ?? Infinity);
    }
    this.count = n;
    this.waiting = waiting;
    return n;
  }

  /** Light of each stop bar at a second of the day: 0 red, 1 yellow, 2 green, 3 none. */
  lightsAt(time, out) {
    const lights = this.lights;
    if (!lights) return false;
    const t = (time - this.begin) * 10;
    for (let b = 0; b < out.length; b++) {
      const head = lights.head[b];
      const k = lowest(lights.time, lights.first[head], lights.first[head + 1], t) - 1;
      out[b] = head < 0 || k < lights.first[head] ? 3 : lights.light[k];
    }
    return true;
  }
}

function lightsOf(array, prefix) {
  const time = array(`${prefix}.light_time`);
  if (!time || !time.length) return null;
  const count = array(`${prefix}.light_count`);
  const first = new Int32Array(count.length + 1);
  for (let k = 0; k < count.length; k++) first[k + 1] = first[k] + count[k];
  return { time, first, light: array(`${prefix}.light`), head: array("bar.head") };
}

function bounds(sorted, n) {
  const first = new Int32Array(n + 1);
  for (const k of sorted) first[k + 1]++;
  for (let k = 0; k < n; k++) first[k + 1] += first[k];
  return first;
}

function lowest(values, from, to, t) {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > t) high = middle;
    else low = middle + 1;
  }
  return low;
}
