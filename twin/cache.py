"""Results that are kept between commands, each in a folder named by the hash of its inputs."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from twin.errors import OutputError

FORMAT = "1"
COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)


def user_folder(part: str) -> Path:
    """Return the folder of a cache: `$XDG_CACHE_HOME` or `~/.cache`, ours, then its part."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    home = Path(named) if Path(named).is_absolute() else Path.home() / ".cache"
    return home / "stadtzwilling" / part


def key(files: Iterable[Path], *words: object) -> str:
    """Return the hash of what files contain and of further words.

    Comments of XML do not count: SUMO's programs write the time of day into them.

    Raises
    ------
    OSError
        If a file cannot be read.
    """
    digest = hashlib.sha256(repr((FORMAT, *words)).encode())
    for path in files:
        data = path.read_bytes()
        if path.suffix == ".xml":
            data = COMMENT.sub(b"", data)
        digest.update(hashlib.sha256(data).digest())
    return digest.hexdigest()[:24]


class Cache:
    """Folders by key; one is there as a whole or not at all.

    Parameters
    ----------
    folder
        Where the folders are.
    fresh
        Make each folder anew that is first asked for by this object.
    """

    def __init__(self, folder: Path, *, fresh: bool = False) -> None:
        self.folder, self.fresh = folder, fresh
        self._made: set[str] = set()

    def has(self, name: str) -> bool:
        """Whether `folder_of` would not make it."""
        return (self.folder / name).is_dir() and (not self.fresh or name in self._made)

    def folder_of(self, name: str, make: Callable[[Path], None]) -> Path:
        """Return the folder of a name, filled by `make` where there is none.

        Raises
        ------
        OutputError
            If the cache cannot be written.
        """
        target = self.folder / name
        if self.has(name):
            return target
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            part = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=self.folder))
        except OSError as error:
            msg = f"{self.folder}: cannot be written, {error.strerror or error}; set XDG_CACHE_HOME"
            raise OutputError(msg) from None
        try:
            make(part)
            self._put(part, target)
        finally:
            shutil.rmtree(part, ignore_errors=True)
        self._made.add(name)
        return target

    def _put(self, part: Path, target: Path) -> None:
        """Give a full folder its name; one that another process put there meanwhile stays."""
        if self.fresh and target.is_dir():
            shutil.rmtree(target)
        try:
            part.rename(target)
        except OSError:
            if not target.is_dir():
                raise
