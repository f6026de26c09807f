"""How kernels are compiled: decorators, and prefetching."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit
from numba.core import cgutils, types
from numba.extending import intrinsic

F = TypeVar("F", bound=Callable[..., Any])
LLVM: Any = cgutils  # has no types
TWIN = Path(__file__).parent


@cache
def _sources(own: Path) -> str:
    """What a module, its room (without one: every room) and the random numbers say.

    Compiled code holds parts of several modules.
    """
    rooms = [own.parent] if own.parent.parent == TWIN else [p for p in TWIN.iterdir() if p.is_dir()]
    files = {own, TWIN / "random.py", *(path for room in rooms for path in room.glob("*.py"))}
    digest = sha256()
    for path in sorted(files):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def compiled(function: F) -> F:
    """Compile a function of the kernel that Python calls, and keep the code on disk.

    It is compiled without Numba's reference counting: nothing here allocates, and counting
    would touch every array of the state at every call.  Numba compiles again when the file
    of the function has changed; here, when any file of its room has.
    """
    made: Any = njit(cache=True, nogil=True, _nrt=False)(function)  # type: ignore[call-overload]
    made._cache._cache_file._source_stamp = _sources(Path(function.__code__.co_filename))
    return cast("F", made)


def inlined(function: F) -> F:
    """Compile a part of the kernel into those that call it.

    It is compiled once for every mix of integer types that it is called with, hence the casts
    to `np.int64` where large parts are called: a fifth of the time of compiling.
    """
    return _part(function, forceinline=True)


def called(function: F) -> F:
    """Compile a part of the kernel that is rarely needed, once for all that call it."""
    return _part(function, forceinline=False)


def _part(function: F, *, forceinline: bool) -> F:
    made: Any = njit(  # type: ignore[call-overload]
        nogil=True,
        _nrt=False,
        forceinline=forceinline,
        no_cpython_wrapper=True,
        no_cfunc_wrapper=True,
    )(function)
    return cast("F", made)


def _prefetch(_typing: Any, array: Any, _index: Any) -> Any:
    """Ask for the cache line of an element, without waiting for it."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        whole = context.make_array(kind)(context, builder, arguments[0])
        place = LLVM.get_item_pointer(context, builder, kind, whole, [arguments[1]])
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        ask = LLVM.get_or_insert_function(builder.module, shape, "llvm.prefetch.p0")
        builder.call(ask, [builder.bitcast(place, byte), word(0), word(2), word(1)])
        return context.get_dummy_value()

    signature: Any = types.void
    return signature(array, types.intp), generate


prefetch: Any = intrinsic(_prefetch)
