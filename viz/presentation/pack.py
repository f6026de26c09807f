"""Compact binary arrays for a page: quantised, delta-coded, byte by byte, compressed together.

`viz/web/src/payload.js` reads them.
"""

from __future__ import annotations

import base64
import gzip
from typing import Any

import numpy as np
import numpy.typing as npt

_SIGNED = (np.int8, np.int16, np.int32)
_UNSIGNED = (np.uint8, np.uint16, np.uint32)


class Pack:
    """Arrays by name, to be read in a browser.

    Attributes
    ----------
    entries
        What the page's header says of each array.
    """

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self._planes: list[bytes] = []
        self._size = 0

    def add(
        self, name: str, values: npt.ArrayLike, *, step: float = 0.0, delta: bool = False
    ) -> None:
        """Add an array.

        Parameters
        ----------
        name
            By which the page finds it.
        values
            [n] or [n, columns] numbers; whole ones unless `step` is given.
        step
            Stored are whole multiples of it; NaN is allowed then, unless `delta`.
        delta
            Whether a row is stored as what it adds to the row before.
        """
        array = np.asarray(values)
        width = array.shape[1] if array.ndim == 2 else 1
        whole, missing = array, np.zeros(array.shape, bool)
        if step:
            missing = ~np.isfinite(array)
            whole = np.round(np.where(missing, 0.0, array) / step)
        whole = whole.astype(np.int64).reshape(-1, width)
        if delta and len(whole):
            whole = np.diff(whole, axis=0, prepend=np.zeros((1, width), np.int64))
        flat = _smallest(whole.ravel(), missing.ravel(), signed=bool(step) or delta)
        entry: dict[str, Any] = {
            "name": name, "type": str(flat.dtype), "at": self._size, "count": len(flat),
        }  # fmt: skip
        entry |= {k: v for k, v in (("step", step), ("width", width), ("delta", delta)) if v}
        self.entries.append(entry)
        planes = flat.view(np.uint8).reshape(len(flat), flat.dtype.itemsize).T.tobytes()
        self._planes.append(planes)
        self._size += len(planes)

    def base64(self) -> str:
        """Return all arrays together, compressed, as text."""
        packed = gzip.compress(b"".join(self._planes), 9, mtime=0)
        return base64.b64encode(packed).decode("ascii")


def _smallest(
    whole: npt.NDArray[np.int64], missing: npt.NDArray[np.bool_], *, signed: bool
) -> npt.NDArray[Any]:
    """Return the values in the smallest type that holds them; the missing are its lowest value."""
    low, high = (int(whole.min()), int(whole.max())) if whole.size else (0, 0)
    for kind in _SIGNED if signed or low < 0 else _UNSIGNED:
        limits = np.iinfo(kind)
        if limits.min + (1 if missing.any() else 0) <= low and high <= limits.max:
            fitted = whole.astype(kind)
            if missing.any():
                fitted[missing] = limits.min
            return fitted.astype(fitted.dtype.newbyteorder("<"))
    msg = f"values from {low} to {high} do not fit into 32 bits"
    raise ValueError(msg)
