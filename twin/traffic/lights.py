"""Signals, and what their lights say to the first vehicle of a lane."""

from __future__ import annotations

from typing import Any

import numpy as np

from twin.compiling import called, compiled, inlined
from twin.traffic.lanes import head_slot, release, ring_slot
from twin.traffic.network import MAJOR, MINOR, RED, STOP_LIGHT, UNSIGNALLED, YELLOW
from twin.traffic.records import (
    ACTUATED,
    CONTROLLED,
    GREEN_STAGE,
    NEVER,
    RED_STAGE,
    YELLOW_STAGE,
)
from twin.traffic.wheel import schedule


@inlined
def light_allows(net: Any, link: Any, ready: int, t: int) -> int:
    """`t` where the light lets the head go, else when to ask again."""
    if link.light == RED:
        return NEVER
    if link.light == YELLOW:
        moving = t - ready <= net.standing
        return t if moving and t <= link.since + link.braking else NEVER
    if link.light == UNSIGNALLED:
        return max(t, ready + link.stop * net.stop)
    when = t
    if ready < link.since:
        when = max(t, link.since + min(net.line, link.since - ready))
    if link.light == STOP_LIGHT:
        when = max(when, ready + net.stop)
    return when


@inlined
def start_loss(net: Any, link: Any, ready: int) -> int:
    """Ticks that the first vehicle of a queue at red loses behind the stop line."""
    if link.light in (UNSIGNALLED, YELLOW) or ready >= link.since:
        return 0
    return max(0, min(link.start, link.since - ready) - net.line)


@called
def _record(rows: Any, clock: Any, link: int, light: int, t: int) -> None:
    """Note a change of a light, if there is room."""
    n = clock[0].shown
    clock[0].shown = n + 1
    if n < len(rows):
        row = rows[n]
        row.time = t
        row.link = link
        row.light = light


@inlined
def _show(st: Any, k: int, light: int, t: int) -> None:
    """Change a light; those who may go now and could not before wake up."""
    link = st.link[k]
    old = link.light
    if old == light:
        return
    link.light = light
    if len(st.shown) > 0:
        _record(st.shown, st.clock, np.int64(k), np.int64(light), np.int64(t))
    if not (old >= MINOR and light >= MINOR):
        link.since = t
    if light == RED or old >= MINOR:
        return
    first = link.lane - link.left
    for i in range(first, first + link.all):
        lane = st.lane[i]
        if lane.inside > 0 and st.slot[head_slot(lane)].link == k:
            schedule(st, i, t, t)


@called
def _passes(slots: Any, lane: Any, k: int, ahead: int, places: int, wave: int) -> int:
    """When the k-th vehicle of a lane's ring passes a line before the stop line.

    It comes there in free flow, or as the queue moves up: after the one so many places before
    it has left, and its wave has come through.  NEVER while that one has not left.
    """
    when = slots[ring_slot(lane, lane.tail + k)].time - ahead
    if k < lane.gone:
        return when
    leader = k - places
    if leader >= lane.gone:
        return NEVER
    if leader >= 0:
        when = max(when, slots[ring_slot(lane, lane.tail + leader)].time + wave)
    return when


@called
def _gap(types: Any, slots: Any, lanes: Any, row: Any, seen: Any, t: int) -> int:
    """Ticks since the last vehicle left a detector; 0 where one is on it."""
    lane = lanes[row.lane]
    release(types, slots, lane, t)
    for k in range(lane.gone + lane.inside - 1, -1, -1):
        if _passes(slots, lane, k, row.ahead, row.places, row.wave) > t:
            continue
        vehicle = slots[ring_slot(lane, lane.tail + k)].vehicle
        if vehicle != seen.vehicle:
            left = _passes(slots, lane, k, row.ahead_left, row.places_left, row.wave_left)
            if left > t:
                return 0
            seen.vehicle = vehicle
            seen.left = left
        break
    return t - seen.left


@inlined
def _least_gap(net: Any, sig: Any, st: Any, row: int, t: int) -> int:
    """Least gap of the detectors that extend a row."""
    least = int(NEVER)
    for k in range(sig.extends[row], sig.extends[row + 1]):
        d = sig.detectors[k]
        gap = _gap(net.type, st.slot, st.lane, sig.detector[d], st.seen[d], t)
        least = min(least, gap)
    return least


@inlined
def _extension(net: Any, sig: Any, st: Any, signal: Any, t: int) -> int:
    """Ticks for which an actuated signal stays in its row, 0 where it goes on."""
    row, shown = signal.phase, t - signal.green_at
    least = _least_gap(net, sig, st, row, t)
    if shown >= sig.most[row] or least >= sig.max_gap:
        return 0
    again = max(1, max(sig.least[row] - shown, sig.detector_gap - least))
    again += -(shown + again) % net.tps  # whole seconds
    return min(again, sig.most[row] - shown)


@inlined
def _signal_acts(net: Any, sig: Any, st: Any, s: int, t: int) -> None:
    """Let a signal show what is next in its program, or in a change that was asked for."""
    signal = st.signal[s]
    if signal.mode != CONTROLLED:
        if signal.mode == ACTUATED:
            again = _extension(net, sig, st, signal, t)
            if again > 0:
                signal.switch = t + again
                return
        row = signal.phase + 1 if signal.phase + 1 < sig.phase[s + 1] else sig.phase[s]
        signal.phase = row
        signal.green_at = t
        signal.switch = t + sig.duration[row]
        if signal.mode == ACTUATED:
            signal.switch = t + max(net.tps, sig.least[row])
            _least_gap(net, sig, st, row, t)  # what has passed so far
    elif signal.stage == YELLOW_STAGE and signal.all_red > 0:
        signal.stage = RED_STAGE
        signal.switch = t + signal.all_red
        row = -1
    else:
        signal.stage = GREEN_STAGE
        signal.phase = row = signal.target
        signal.green_at = t
        signal.switch = NEVER
    shown, first = signal.shown, sig.link[s]
    for k in range(first, sig.link[s + 1]):
        if row < 0:
            if st.link[sig.links[k]].light == YELLOW:
                _show(st, sig.links[k], RED, t)
        elif shown < 0 or sig.light[shown, k - first] != sig.light[row, k - first]:
            _show(st, sig.links[k], sig.light[row, k - first], t)
    signal.shown = row


@called
def _sink(heap: Any, n: int, at: int) -> None:
    """Let a number sink to its place in a heap whose least is first."""
    while 2 * at + 1 < n:
        least = 2 * at + 1
        if least + 1 < n and heap[least + 1] < heap[least]:
            least += 1
        if heap[at] <= heap[least]:
            return
        heap[at], heap[least] = heap[least], heap[at]
        at = least


@called
def order_signals(signals: Any, heap: Any) -> int:
    """Make a heap of the signals that will change, by tick and number; how many."""
    n = 0
    for s in range(len(signals)):
        if signals[s].switch < NEVER:
            heap[n] = (np.int64(signals[s].switch) << 32) | s
            n += 1
    for at in range(n // 2 - 1, -1, -1):
        _sink(heap, n, at)
    return n


@inlined
def next_change(heap: Any, n: int) -> int:
    """Tick at which the next signal changes."""
    return heap[0] >> 32 if n > 0 else np.int64(NEVER)


@inlined
def change_signals(net: Any, sig: Any, st: Any, n: int, t: int) -> int:
    """Let signals change whose time has come; how many will change again."""
    while n > 0 and (st.change[0] >> 32) <= t:
        s = st.change[0] & 0xFFFFFFFF
        _signal_acts(net, sig, st, s, t)
        if st.signal[s].switch < NEVER:
            st.change[0] = (np.int64(st.signal[s].switch) << 32) | s
        else:
            n -= 1
            st.change[0] = st.change[n]
        _sink(st.change, n, 0)
    return n


@compiled
def request_phase(net: Any, sig: Any, st: Any, s: int, row: int) -> None:
    """Begin the change of a controlled signal to a row of its program, through yellow."""
    t, signal = st.clock[0].now, st.signal[s]
    current = signal.phase
    if row == current or signal.stage != GREEN_STAGE:
        return
    signal.target = row
    signal.stage = YELLOW_STAGE
    signal.shown = -1
    signal.switch = t + signal.yellow
    for k in range(sig.link[s], sig.link[s + 1]):
        link, column = sig.links[k], k - sig.link[s]
        now, then = sig.light[current, column], sig.light[row, column]
        if now in (MINOR, MAJOR, STOP_LIGHT) and then not in (MINOR, MAJOR, STOP_LIGHT):
            _show(st, link, YELLOW, t)
