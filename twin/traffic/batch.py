"""Many simulations of one network at once: one compiled call advances them all.

The copies differ in their vehicles, the lights that were asked for, closures and time.
Each is an ordinary `State` whose arrays are views into the arrays of the batch, so whatever
reads or changes one simulation works on a copy as well.  Copies share nothing that changes:
what happens in one depends neither on the others nor on the number of threads.  They record
nothing (`twin.traffic.recording`); a batch around one state leaves its record on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from numba.core import cgutils, types
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array

from twin.compiling import compiled
from twin.errors import SimulationError
from twin.traffic.kernel import advance, queues
from twin.traffic.network import Network
from twin.traffic.records import State, aligned, unrecorded

I4 = npt.NDArray[np.int32]
I8 = npt.NDArray[np.int64]

LLVM: Any = cgutils  # has no types


class Flat(NamedTuple):
    """All copies, as the compiled code reads them."""

    state: State  # every array with the copies as its first dimension
    used: I8  # [copies, arrays of a state] length of each array; the rest is room


class Seen(NamedTuple):
    """Vehicles before the stop lines, by copy."""

    waiting: I4  # [copies, links] vehicles at a stand before the stop line
    approaching: I4  # [copies, links] vehicles under way to it
    lane_vehicles: I4  # [copies, lanes]
    head_wait: I4  # [copies, links] ticks for which the head of a lane has waited for a link


def _view(_typing: Any, flat: Any, k: Any) -> Any:
    """Copy `k` of a batch as a `State`: views whose memory the batch keeps."""
    batched = flat[0]
    views = [a.copy(ndim=a.ndim - 1) for a in batched]

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        state = builder.extract_value(arguments[0], 0)
        used = _array(context, builder, flat[1], builder.extract_value(arguments[0], 1))
        made = []
        for i, (kind, view) in enumerate(zip(batched, views, strict=True)):
            whole = _array(context, builder, kind, builder.extract_value(state, i))
            place = [arguments[1], context.get_constant(types.intp, i)]
            length = builder.load(LLVM.get_item_pointer(context, builder, flat[1], used, place))
            strides = LLVM.unpack_tuple(builder, whole.strides)
            shape = [length, *LLVM.unpack_tuple(builder, whole.shape)[2:]]
            one = context.make_array(view)(context, builder)
            fill: Any = populate_array
            fill(
                one,
                data=LLVM.pointer_add(builder, whole.data, builder.mul(arguments[1], strides[0])),
                shape=LLVM.pack_array(builder, shape),
                strides=LLVM.pack_array(builder, strides[1:]),
                itemsize=whole.itemsize,
                meminfo=None,
            )
            made.append(one._getvalue())
        return context.make_tuple(builder, signature.return_type, made)

    named: Any = types.NamedTuple
    return named(tuple(views), batched.instance_class)(flat, k), generate


copy_of: Any = intrinsic(_view)


def _array(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    return context.make_array(kind)(context, builder, value)


@compiled
def _advance(net: Any, sig: Any, flat: Any, until: I8, first: int, end: int) -> None:
    for k in range(first, end):
        if until[k] > flat.state.clock[k, 0].now:
            advance(net, sig, copy_of(flat, k), until[k])


@compiled
def _look(net: Any, sig: Any, flat: Any, seen: Any, first: int, end: int) -> None:  # noqa: ARG001
    for k in range(first, end):
        queues(
            net,
            copy_of(flat, k),
            seen.waiting[k],
            seen.approaching[k],
            seen.lane_vehicles[k],
            seen.head_wait[k],
        )


def _unseen(network: Network, n: int) -> Seen:
    net = network.arrays
    rows = (net.link, net.link, net.lane, net.link)
    return Seen(*(np.zeros((n, len(a)), np.int32) for a in rows))


class Batch:
    """Copies of one network's simulation, advanced together.

    Parameters
    ----------
    network
        Streets that all copies share.
    states
        One state a copy; they are copied into the batch.
    threads
        Threads that share the copies; one for each core at hand where it is None.

    Attributes
    ----------
    flat
        The arrays of all copies: `flat.state.signal["phase"]` is [copies, signals].
    copies
        Each copy as an ordinary state; its arrays are views into `flat`.
    seen
        What `look` found last.

    Raises
    ------
    SimulationError
        If there is no state, a state is of another network, or intervals differ.
    """

    def __init__(
        self,
        network: Network,
        states: Sequence[State],
        *,
        threads: int | None = None,
    ) -> None:
        states = [unrecorded(state) for state in states]
        if not states:
            msg = "a batch of 0 states: give one for each copy"
            raise SimulationError(msg)
        for k, state in enumerate(states):
            self._check(network, states[0].entered.shape, state, k)
        self.network = network
        self.threads = threads or len(os.sched_getaffinity(0))
        n = len(states)
        room = [
            aligned((n, *np.max([a.shape for a in arrays], axis=0)), arrays[0].dtype)
            for arrays in zip(*states, strict=True)
        ]
        self.flat = Flat(State(*room), np.zeros((n, len(room)), np.int64))
        nothing: list[Any] = [array[0, :0] for array in room]
        self.copies: list[State] = [State(*nothing)] * n
        self.seen = _unseen(network, n)
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None
        for k, state in enumerate(states):
            self.load(k, state)

    @classmethod
    def around(cls, network: Network, state: State) -> Batch:
        """A batch of one copy that is this very state, on the caller's thread."""
        batch = cls.__new__(cls)
        batch.network, batch.threads, batch._pool = network, 1, None
        sizes = np.array([[len(array) for array in state]], np.int64)
        batch.flat = Flat(State(*(array[None] for array in state)), sizes)
        batch.copies = [state]
        batch.seen = _unseen(network, 1)
        return batch

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_pool": None, "copies": None}

    def __setstate__(self, given: dict[str, Any]) -> None:
        self.__dict__.update(given)
        room: list[Any] = [aligned(array.shape, array.dtype) for array in self.flat.state]
        for array, kept in zip(room, self.flat.state, strict=True):
            array[...] = kept
        self.flat = Flat(State(*room), self.flat.used)
        self.copies = self._views(room)
        self._pool = ThreadPoolExecutor(self.threads - 1) if self.threads > 1 else None

    def __len__(self) -> int:
        return len(self.flat.used)

    @property
    def now(self) -> I8:
        """[copies] next tick of each that has not been simulated."""
        return np.asarray(self.flat.state.clock["now"][:, 0])

    def load(self, k: int, state: State) -> None:
        """Put a state into copy `k`, in place: the reset of one simulation.

        Raises
        ------
        SimulationError
            If the state is of another network.
        """
        state = unrecorded(state)
        self._check(self.network, self.flat.state.entered.shape[1:], state, k)
        self._make_room(state)
        views: list[Any] = []
        for name in State._fields:
            array, room = getattr(state, name), getattr(self.flat.state, name)
            view = room[k, : len(array)]
            if view is not array:
                view[...] = array
            views.append(view)
        self.copies[k] = State(*views)
        self.flat.used[k] = [len(array) for array in state]

    def _make_room(self, state: State) -> None:
        """Let the copies have room for a state; `copies` and `flat` become new ones."""
        room: list[Any] = list(self.flat.state)
        small = [i for i, array in enumerate(state) if len(array) > room[i].shape[1]]
        for i in small:
            old = room[i]
            room[i] = aligned((len(old), len(state[i]), *old.shape[2:]), old.dtype)
            room[i][:, : old.shape[1]] = old
        if small:
            self.flat = Flat(State(*room), self.flat.used)
            self.copies[:] = self._views(room)

    def _views(self, room: list[Any]) -> list[State]:
        """Each copy as a state."""
        found = []
        for k, lengths in enumerate(self.flat.used):
            views = [array[k, :n] for array, n in zip(room, lengths, strict=True)]
            found.append(State(*views))
        return found

    def advance(self, until: npt.ArrayLike) -> None:
        """Simulate every tick before `until`: one tick for all, or [copies]."""
        ticks = np.broadcast_to(np.asarray(until, np.int64), (len(self),)).copy()
        self.share(_advance, ticks)

    def look(self) -> Seen:
        """Count vehicles before the stop lines of all copies; the arrays are used again."""
        self.share(_look, self.seen)
        return self.seen

    def share(self, work: Callable[..., None], what: Any) -> None:
        """Call compiled work (net, sig, flat, what, first, end) on all copies, by threads."""
        net, sig, n = self.network.arrays, self.network.signals, len(self)
        if self._pool is None or n == 1:
            work(net, sig, self.flat, what, 0, n)
            return
        cuts = np.linspace(0, n, min(n, self.threads) + 1).astype(int).tolist()
        blocks = list(pairwise(cuts))
        calls = [self._pool.submit(work, net, sig, self.flat, what, *b) for b in blocks[1:]]
        work(net, sig, self.flat, what, *blocks[0])
        for call in calls:
            call.result()

    @staticmethod
    def _check(network: Network, intervals: tuple[int, ...], state: State, k: int) -> None:
        if len(state.lane) != len(network.arrays.lane) or len(state.link) != len(
            network.arrays.link
        ):
            msg = f"state {k} has {len(state.lane)} lanes, the network {len(network.arrays.lane)}"
            raise SimulationError(msg)
        if state.entered.shape != intervals:
            msg = (
                f"state {k} has {len(state.entered)} intervals, others {intervals[0]}: "
                "give all one begin, end and interval"
            )
            raise SimulationError(msg)
