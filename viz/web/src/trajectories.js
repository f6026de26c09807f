// Where every vehicle is at a time, from when it entered and left each lane.
//
// The same rules as twin/traffic/trajectories.py (Newell 2002, simplified car-following), where
// they are told in full; times here are tenths of a second, and those who have not left a lane at
// the end leave it NEVER.

export const NEVER = 1e9;
const PER_S = 10;

/** First index in [from, to) whose value is above t; values never fall. */
export function firstAbove(values, from, to, t) {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] > t) high = middle;
    else low = middle + 1;
  }
  return low;
}

/**
 * Place the vehicles of one lane at time t (tenths of a second).
 *
 * `q` has for each passage enter, leave, speed (m/s) and spacing (m), and the sum of spacings
 * before it; rows first to end are of this lane of `length` metres whose quickest drives `most`.
 * Calls `put(row, metres, speed)` for each vehicle on the lane. `inside(row)` tells where in a
 * junction with a place to wait who has left the lane is; Infinity if it is in none.
 */
export function follow(q, first, end, t, length, most, tau, put, inside = () => Infinity) {
  const a = firstAbove(q.leave, first, end, t);
  const b = firstAbove(q.enter, a, end, t);
  // Rear of the one before.
  let ahead = a > first ? length + inside(a - 1) - q.spacing[a - 1] : Infinity;
  let aheadSpeed = 0;
  for (let k = a; k < b; k++) {
    let x = (q.speed[k] * (t - q.enter[k])) / PER_S;
    let v = q.speed[k];
    if (x >= length) [x, v] = [length, 0];
    if (ahead < x) [x, v] = [ahead, aheadSpeed];
    for (let m = a - 1; m >= first; m--) {
      const since = (t - q.leave[m]) / PER_S - (k - m) * tau;
      const at = length - (q.before[k] - q.before[m]) + most * Math.max(0, since);
      if (at >= length) break;
      if (at < x) [x, v] = [at, since >= 0 ? most : 0];
    }
    const latest = length - (most * (q.leave[k] - t)) / PER_S;
    if (latest > x) [x, v] = [latest, most];
    if (x < 0) [x, v] = [0, 0];
    put(k, x, v);
    ahead = x - q.spacing[k];
    aheadSpeed = v;
  }
}

/** Metres along a way through a junction, for who left at D, enters next at E, at time t. */
export function through(t, D, E, metres, wait, speed, leader) {
  const since = (t - D) / PER_S;
  const until = (E - t) / PER_S;
  const even = metres / Math.max(since + until, 1e-6);
  if (!(wait > 0)) return { x: even * since, v: even };
  const u = Math.max(speed, even);
  let x = u * since;
  let v = u;
  if (x > wait) [x, v] = [wait, 0];
  if (leader < x) [x, v] = [Math.max(0, leader), 0];
  if (metres - u * until > x) [x, v] = [metres - u * until, u];
  return { x, v };
}

/** For each passage, the row of the same vehicle's next one, or -1. */
export function nextPassages(vehicle, enter, vehicles) {
  const start = new Int32Array(vehicles + 1);
  for (const v of vehicle) start[v + 1]++;
  for (let v = 0; v < vehicles; v++) start[v + 1] += start[v];
  const rows = new Int32Array(vehicle.length);
  const fill = start.slice();
  for (let k = 0; k < vehicle.length; k++) rows[fill[vehicle[k]]++] = k;
  const next = new Int32Array(vehicle.length).fill(-1);
  for (let v = 0; v < vehicles; v++) {
    const mine = rows.subarray(start[v], start[v + 1]).sort((a, b) => enter[a] - enter[b]);
    for (let k = 0; k + 1 < mine.length; k++) next[mine[k]] = mine[k + 1];
  }
  return next;
}
