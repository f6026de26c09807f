"""Signals, and what their lights say to the first vehicle of a lane."""

from __future__ import annotations

from typing import Any

from twin.traffic.compiling import called, compiled, inlined
from twin.traffic.lanes import head_slot
from twin.traffic.network import MAJOR, MINOR, RED, STOP_LIGHT, UNSIGNALLED, YELLOW
from twin.traffic.records import FIXED, GREEN_STAGE, NEVER, RED_STAGE, YELLOW_STAGE
from twin.traffic.wheel import schedule


@inlined
def light_allows(net: Any, st: Any, link: int, ready: int, t: int) -> int:
    """`t` where the light lets the head go, else when to ask again."""
    light = st.link[link].light
    if light == RED:
        return NEVER
    since = st.link[link].since
    if light == YELLOW:
        moving = t - ready <= net.standing
        return t if moving and t <= since + st.link[link].braking else NEVER
    if light == UNSIGNALLED:
        return max(t, ready + st.link[link].stop)
    when = t
    if ready < since:
        when = max(t, since + min(net.line, since - ready))
    if light == STOP_LIGHT:
        when = max(when, ready + net.stop)
    return when


@inlined
def start_loss(net: Any, st: Any, link: int, ready: int) -> int:
    """Ticks that the first vehicle of a queue at red loses behind the stop line."""
    light, since = st.link[link].light, st.link[link].since
    if light in (UNSIGNALLED, YELLOW) or ready >= since:
        return 0
    return max(0, min(st.link[link].start, since - ready) - net.line)


@inlined
def _show(net: Any, st: Any, link: int, light: int, t: int) -> None:
    """Change a light; those who may go now and could not before wake up."""
    old = st.link[link].light
    if old == light:
        return
    st.link[link].light = light
    if not (old >= MINOR and light >= MINOR):
        st.link[link].since = t
    if light == RED or old >= MINOR:
        return
    street = net.lane[st.link[link].lane].street
    for lane in range(net.street_lane[street], net.street_lane[street + 1]):
        if st.lane[lane].inside > 0 and st.slot[head_slot(st, lane)].link == link:
            schedule(st, lane, t, t)


@inlined
def _show_row(net: Any, sig: Any, st: Any, s: int, row: int, t: int) -> None:
    for k in range(sig.link[s], sig.link[s + 1]):
        _show(net, st, sig.links[k], sig.light[row, k - sig.link[s]], t)


@called
def signal_acts(net: Any, sig: Any, st: Any, s: int, t: int) -> None:
    """Let a signal show what is next in its program, or in a change that was asked for."""
    if st.signal[s].mode == FIXED:
        row = st.signal[s].phase + 1
        if row >= sig.phase[s + 1]:
            row = sig.phase[s]
        st.signal[s].phase = row
        st.signal[s].switch = t + sig.duration[row]
        _show_row(net, sig, st, s, row, t)
        return
    if st.signal[s].stage == YELLOW_STAGE and st.signal[s].all_red > 0:
        st.signal[s].stage = RED_STAGE
        st.signal[s].switch = t + st.signal[s].all_red
        for k in range(sig.link[s], sig.link[s + 1]):
            if st.link[sig.links[k]].light == YELLOW:
                _show(net, st, sig.links[k], RED, t)
        return
    st.signal[s].stage = GREEN_STAGE
    st.signal[s].phase = st.signal[s].target
    st.signal[s].green_at = t
    st.signal[s].switch = NEVER
    _show_row(net, sig, st, s, st.signal[s].phase, t)


@compiled
def request_phase(net: Any, sig: Any, st: Any, s: int, row: int) -> None:
    """Begin the change of a controlled signal to a row of its program, through yellow."""
    t = st.clock[0].now
    current = st.signal[s].phase
    if row == current or st.signal[s].stage != GREEN_STAGE:
        return
    st.signal[s].target = row
    st.signal[s].stage = YELLOW_STAGE
    st.signal[s].switch = t + st.signal[s].yellow
    for k in range(sig.link[s], sig.link[s + 1]):
        link, column = sig.links[k], k - sig.link[s]
        now, then = sig.light[current, column], sig.light[row, column]
        if now in (MINOR, MAJOR, STOP_LIGHT) and then not in (MINOR, MAJOR, STOP_LIGHT):
            _show(net, st, link, YELLOW, t)
