"""YAML read event by event: values with the line of each, and limits on what a file may do.

Plain scalars follow the core schema of YAML 1.2: `07:00`, `yes`, `2026-09-15` and `010` stay
what was written and do not turn into seconds, truth values, dates or octal numbers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

import yaml

MAX_BYTES = 1_000_000
MAX_ALIASES = 100
MAX_DEPTH = 20
MAX_NODES = 20_000

Path = tuple[str | int, ...]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]{1,4})?")
_WORDS = {"null": None, "~": None, "": None, "true": True, "false": False}
_PLAIN_TAGS = (None, "!", "tag:yaml.org,2002:str")


class NodeError(Exception):
    """What is wrong with a file, and on which line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


@dataclass(frozen=True)
class Mark:
    """Where a value, or the key before it, stands (from 1); for a scalar how it is written."""

    line: int
    column: int
    text: str | None = None


@dataclass(frozen=True)
class Document:
    """A value of plain Python and the mark of every node in it by path."""

    value: Any
    marks: dict[Path, Mark]


@dataclass(frozen=True)
class _Node:
    value: Any
    mark: Mark
    inner: dict[Path, Mark]


@dataclass
class _Open:
    """A mapping or sequence whose end has not come yet."""

    mark: Mark
    mapping: bool
    anchor: str | None
    value: Any
    inner: dict[Path, Mark] = field(default_factory=dict)
    key: str | None = None
    keys: dict[str, Mark] = field(default_factory=dict)


def read_document(text: str) -> Document:
    """Return the one document of a YAML text.

    Raises
    ------
    NodeError
        If the text is no YAML, is empty, holds several documents, or goes beyond a limit.
    """
    try:
        return _Reader().read(text)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        problem = error.problem or error.context or "cannot be understood"
        msg = f"is no valid YAML ({problem}); check indentation, colons and quotes there"
        raise NodeError(mark.line + 1 if mark else 1, msg) from None
    except yaml.YAMLError as error:
        msg = f"is no valid YAML ({str(error).splitlines()[0]}); save it as plain UTF-8 text"
        raise NodeError(1, msg) from None


class _Reader:
    def __init__(self) -> None:
        self.stack: list[_Open] = []
        self.anchors: dict[str, _Node] = {}
        self.aliases = 0
        self.root: _Node | None = None

    def read(self, text: str) -> Document:
        documents = 0
        for event in yaml.parse(text, Loader=_LOADER):
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    at: Any = event.start_mark
                    raise NodeError(
                        at.line + 1, "holds a second document; keep one and delete '---'"
                    )
            elif isinstance(event, yaml.NodeEvent):
                self._take(event)
            elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
                self._close()
        if self.root is None:
            raise NodeError(1, "is empty; write a scenario into it")
        return Document(self.root.value, {(): self.root.mark, **self.root.inner})

    def _take(self, event: Any) -> None:
        at: Any = event.start_mark
        mark = Mark(at.line + 1, at.column + 1)
        if isinstance(event, yaml.AliasEvent):
            self._add(self._alias(str(event.anchor), mark))
            return
        if event.tag not in _PLAIN_TAGS:
            msg = f"has the tag {event.tag!r}, and tags are not allowed; delete it"
            raise NodeError(mark.line, msg)
        if isinstance(event, yaml.ScalarEvent):
            mark = Mark(mark.line, mark.column, event.value)
            plain = event.implicit[0] and event.tag is None
            node = _Node(_scalar(event.value) if plain else event.value, mark, {})
            if event.anchor:
                self.anchors[event.anchor] = node
            self._add(node)
            return
        if len(self.stack) >= MAX_DEPTH:
            msg = f"is nested deeper than {MAX_DEPTH} levels; write it flatter"
            raise NodeError(mark.line, msg)
        mapping = isinstance(event, yaml.MappingStartEvent)
        if self.stack and self.stack[-1].mapping and self.stack[-1].key is None:
            raise NodeError(mark.line, "has a key that is no plain word; write 'key: value'")
        self.stack.append(_Open(mark, mapping, event.anchor, {} if mapping else []))

    def _alias(self, anchor: str, mark: Mark) -> _Node:
        self.aliases += 1
        if self.aliases > MAX_ALIASES:
            msg = f"has more than {MAX_ALIASES} aliases ('*{anchor}'); write the values out"
            raise NodeError(mark.line, msg)
        if anchor not in self.anchors:
            msg = f"uses '*{anchor}' before '&{anchor}' is complete; write the values out"
            raise NodeError(mark.line, msg)
        node = self.anchors[anchor]
        return _Node(node.value, node.mark, node.inner)

    def _close(self) -> None:
        done = self.stack.pop()
        node = _Node(done.value, done.mark, done.inner)
        if done.anchor:
            self.anchors[done.anchor] = node
        self._add(node)

    def _add(self, node: _Node) -> None:
        """Put a complete node into the innermost open one."""
        if not self.stack:
            self.root = node
            return
        into = self.stack[-1]
        if into.mapping and into.key is None:
            self._key(into, node)
            return
        if len(into.inner) + len(node.inner) >= MAX_NODES:
            raise NodeError(node.mark.line, f"holds more than {MAX_NODES} values; shorten it")
        key: str | int = len(into.value)
        mark = node.mark
        if into.mapping:
            key = str(into.key)
            mark = replace(into.keys[key], text=node.mark.text)
            into.value[key] = node.value
            into.key = None
        else:
            into.value.append(node.value)
        into.inner[(key,)] = mark
        for path, inner in node.inner.items():
            into.inner[(key, *path)] = inner

    @staticmethod
    def _key(into: _Open, node: _Node) -> None:
        if node.mark.text is None:
            raise NodeError(node.mark.line, "has a key that is no plain word; write 'key: value'")
        key = node.mark.text
        if key in into.keys:
            msg = f"has the key {key!r} twice, first on line {into.keys[key].line}; delete one"
            raise NodeError(node.mark.line, msg)
        into.keys[key] = node.mark
        into.key = key


def _scalar(text: str) -> Any:
    """Return what a plain scalar means under the core schema."""
    if text.lower() in _WORDS and text in (text.lower(), text.title(), text.upper()):
        return _WORDS[text.lower()]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
