// Which street is nearest to a place: segments in a grid of cells.
export class StreetIndex {
  constructor(points, xy, cell = 80) {
    this.xy = xy;
    this.cell = cell;
    this.cells = new Map();
    this.segments = [];
    let at = 0;
    for (let s = 0; s < points.length; s++) {
      for (let k = 0; k + 1 < points[s]; k++) this.put(s, at + k);
      at += points[s];
    }
  }

  put(street, at) {
    const { xy, cell } = this;
    const [ax, ay, bx, by] = xy.subarray(2 * at, 2 * at + 4);
    const row = this.segments.push([street, ax, ay, bx, by]) - 1;
    for (let i = Math.floor(Math.min(ax, bx) / cell); i <= Math.floor(Math.max(ax, bx) / cell); i++) {
      for (let j = Math.floor(Math.min(ay, by) / cell); j <= Math.floor(Math.max(ay, by) / cell); j++) {
        const key = `${i},${j}`;
        if (!this.cells.has(key)) this.cells.set(key, []);
        this.cells.get(key).push(row);
      }
    }
  }

  /** Row of the nearest street within so many metres; -1 where there is none. */
  nearest(x, y, within) {
    const { cell } = this;
    let best = within;
    let found = -1;
    for (let i = Math.floor((x - within) / cell); i <= Math.floor((x + within) / cell); i++) {
      for (let j = Math.floor((y - within) / cell); j <= Math.floor((y + within) / cell); j++) {
        for (const row of this.cells.get(`${i},${j}`) || []) {
          const [street, ax, ay, bx, by] = this.segments[row];
          const d = toSegment(x, y, ax, ay, bx, by);
          if (d < best) [best, found] = [d, street];
        }
      }
    }
    return found;
  }
}

/** Distance of a point from a segment. */
export function toSegment(x, y, ax, ay, bx, by) {
  const [dx, dy] = [bx - ax, by - ay];
  const size = dx * dx + dy * dy;
  const s = size > 0 ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / size)) : 0;
  return Math.hypot(x - ax - s * dx, y - ay - s * dy);
}

/** Where half of the weight of [place, weight] lies on either side. */
export function middleOf(places) {
  const sorted = [...places].sort((a, b) => a[0] - b[0]);
  const half = sorted.reduce((sum, p) => sum + p[1], 0) / 2;
  let sum = 0;
  return sorted.find((p) => (sum += p[1]) >= half)[0];
}
