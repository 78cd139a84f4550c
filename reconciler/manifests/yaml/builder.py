"""YAML events -> documents, with an explicit stack, so that no input makes Python recurse."""

from sys import intern
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ruamel.yaml import events

from reconciler.manifests.yaml.parser import SPECIAL_STARTS, key_text, resolve, resolve_tagged
from reconciler.manifests.yaml.tree import COLUMN_BITS, Document, Marks, as_place, find, members, new_marks, size
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic
from reconciler.model.json import pointer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEPTH_LIMIT: Final = 100
ALIAS_LIMIT: Final = 100_000
"""The most values that the aliases of one file may add."""

_Data: TypeAlias = Any  # plain data while it grows; the model's Json is read-only
_Event: TypeAlias = Any
_MERGE: Final = "<<"
_ITEM: Final[Any] = object()
"""Represents the key of a list's member."""
_CONTAINER_TAGS: Final = frozenset({None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq"})


class Stop(Exception):  # no error of the program: the end of what can be read of a file
    """A fault after which the rest of the file is unreadable."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


@dataclass(slots=True)
class _Anchored:
    """The value of an anchor."""

    value: _Data
    marks: Marks
    height: int
    """0 for a scalar, 1 for a list of scalars."""


class _Frame:
    """A mapping or list under construction."""

    __slots__ = ("anchor", "key", "merges", "on_value", "start", "value")

    def __init__(self, value: _Data, start: int, anchor: str | None) -> None:
        self.value = value
        self.start = start
        self.anchor = anchor
        self.key: str | None = None if type(value) is dict else _ITEM
        """None: a mapping waits for its next key."""
        self.on_value: Callable[[_Frame, _Data, int], None] | None = None
        """What is done with the next member instead of adding it."""
        self.merges: list[tuple[_Data, Marks]] | None = None


class Builder:
    """Collects the documents and the faults of one file."""

    def __init__(self, file: str) -> None:
        self.documents: list[Document] = []
        self.faults: list[Diagnostic] = []
        self._file = file
        self._expanded = 0
        self._reset()

    def _reset(self) -> None:
        self._marks = new_marks()
        self._anchors: dict[str, _Anchored | None] = {}
        self._frame = _Frame([], 0, None)  # takes the root
        self._stack: list[_Frame] = []

    def run(self, parser: _Event) -> None:
        """Take all events of a parser.

        Raises:
            Stop: at a fault after which nothing more can be read.
            ruamel.yaml.error.YAMLError: from the parser.
        """
        handlers: Mapping[type, Callable[[_Event], None]] = {
            events.MappingStartEvent: self._open,
            events.MappingEndEvent: self._end,
            events.SequenceStartEvent: self._open,
            events.SequenceEndEvent: self._end,
            events.AliasEvent: self._alias,
            events.DocumentStartEvent: self._document_start,
            events.DocumentEndEvent: self._document_end,
            events.StreamStartEvent: lambda _: None,
        }
        get_event, scalar, end = parser.get_event, events.ScalarEvent, events.StreamEndEvent
        while (kind := type(event := get_event())) is not end:
            if kind is scalar:
                self._scalar(event)
            else:
                handlers[kind](event)

    def _document_start(self, event: _Event) -> None:
        self._reset()
        if event.version is not None and tuple(event.version) != (1, 2):
            self._fault(
                event.start_mark.line << COLUMN_BITS, "yaml-version", "only YAML 1.2 is read", "remove the %YAML line"
            )

    def _document_end(self, _event: _Event) -> None:
        (data,) = self._frame.value
        if data is not None:
            self.documents.append(Document(self._file, data, self._marks))

    # -- nodes: the two hot paths first -------------------------------------------------------------------------------

    def _scalar(self, event: _Event) -> None:
        at = event.start_mark
        self._marks.append(at.line << COLUMN_BITS | at.column)
        frame = self._frame
        if event.ctag or event.anchor or frame.on_value:  # `tag` is the same, through a property
            self._unusual_scalar(event)
        elif frame.key is None:
            key = event.value if event.style else key_text(event.value)
            if key is None or key in frame.value:
                self._unusual_key(event, frame)
            else:
                frame.key = key
        elif frame.key is _ITEM:
            frame.value.append(event.value if event.style else self._plain(event.value))
        else:
            frame.value[frame.key] = event.value if event.style else self._plain(event.value)
            frame.key = None

    def _unusual_scalar(self, event: _Event) -> None:
        if event.tag:
            value = self._resolved(event.value, event.tag)
        else:
            value = event.value if event.style else self._plain(event.value)
        if event.anchor:
            self._anchors[event.anchor] = _Anchored(value, self._marks[-1:], 0)
        self._add(value, len(self._marks) - 1)

    def _unusual_key(self, event: _Event, frame: _Frame) -> None:
        if event.value == _MERGE and not event.style and frame.merges is None:
            frame.key, frame.on_value, frame.merges = _MERGE, self._take_merge, []
        elif event.style or event.value == _MERGE:
            self._take_key(event.value)
        else:
            self._take_key(key_text(event.value))

    def _plain(self, text: str) -> _Data:
        # Of many manifests most values are the same: kept once, they take a tenth less memory.
        return self._resolved(text) if text[:1] in SPECIAL_STARTS else intern(text)

    def _resolved(self, text: str, tag: str = "") -> _Data:
        try:
            return resolve_tagged(text, tag) if tag else resolve(text)
        except ValueError as error:
            self._fault(self._marks[-1], "value", str(error))
            return None

    def _open(self, event: _Event) -> None:
        at = event.start_mark
        self._marks.append(at.line << COLUMN_BITS | at.column)
        stack = self._stack
        if len(stack) == DEPTH_LIMIT:
            raise self._too_deep()
        if event.ctag and event.tag not in _CONTAINER_TAGS:
            self._fault(self._marks[-1], "value", "only the standard tags such as !!str are read")
        if event.anchor:
            self._anchors[event.anchor] = None
        stack.append(self._frame)
        value: _Data = {} if type(event) is events.MappingStartEvent else []
        self._frame = _Frame(value, len(self._marks) - 1, event.anchor)

    def _end(self, _event: _Event) -> None:
        frame = self._frame
        if frame.merges:
            self._merge(frame, frame.merges)
        if frame.anchor:
            self._anchors[frame.anchor] = _Anchored(frame.value, self._marks[frame.start :], _height(frame.value))
        self._frame = self._stack.pop()
        self._add(frame.value, frame.start)

    def _add(self, value: _Data, start: int) -> None:
        """Add a value, whose marks begin at `start`, to the frame."""
        frame = self._frame
        if frame.key is _ITEM:
            frame.value.append(value)
        elif frame.key is None:
            del self._marks[start + 1 :]
            self._take_key(value if isinstance(value, str) else None)
        elif frame.on_value:
            frame.on_value(frame, value, start)
        else:
            frame.value[frame.key] = value
            frame.key = None

    # -- keys ---------------------------------------------------------------------------------------------------------

    def _take_key(self, key: str | None) -> None:
        """Take a key whose mark is the last one. None: it is not a string."""
        frame = self._frame
        if key is None:
            self._fault(self._marks[-1], "key-type", "a key must be a string", "put quotes around it")
            frame.key, frame.on_value = "", self._drop
            return
        frame.key = key
        if key in frame.value or (key == _MERGE and frame.merges is not None):
            self._fault(self._marks[-1], "duplicate-key", f"duplicate key{self._first(frame, key)}")
            frame.on_value = self._drop

    def _first(self, frame: _Frame, key: str) -> str:
        if key not in frame.value:
            return ""
        marks = self._marks[frame.start :]
        first = as_place(self._file, marks[find(frame.value, (key,))[0]])
        return f", first at line {first.line}, column {first.column}"

    def _drop(self, frame: _Frame, _value: _Data, start: int) -> None:
        del self._marks[start - 1 :]
        frame.key = frame.on_value = None

    # -- aliases and merge keys ---------------------------------------------------------------------------------------

    def _alias(self, event: _Event) -> None:
        self._marks.append(event.start_mark.line << COLUMN_BITS | event.start_mark.column)
        start = len(self._marks) - 1
        anchored = self._anchors.get(event.anchor)
        if anchored is None:
            what = "is inside its own anchor" if event.anchor in self._anchors else "has no anchor above it"
            hint = "put quotes around a string that starts with '*'"
            self._fault(self._marks[start], "alias", f"this alias {what}", hint)
            self._add(None, start)
            return
        self._expanded += len(anchored.marks)
        if self._expanded > ALIAS_LIMIT:
            message = f"the aliases of this file add more than {ALIAS_LIMIT:,} values to it"
            raise Stop(self._diagnostic(self._marks[start], "alias", message, "write the values out"))
        if len(self._stack) + anchored.height > DEPTH_LIMIT:
            raise self._too_deep()
        self._marks.extend(anchored.marks[1:])
        self._add(anchored.value, start)

    def _take_merge(self, frame: _Frame, value: _Data, start: int) -> None:
        """Keep the value of a merge key until its mapping ends; keys of the mapping itself take precedence."""
        marks = self._marks[start:]
        assert frame.merges is not None  # noqa: S101
        parts = [(value, marks)]
        if isinstance(value, list):
            parts = [(child, marks[at : at + size(child)]) for _, child, _, at in members(value, 0)]
        if all(isinstance(part, dict) for part, _ in parts):
            frame.merges.extend(parts)
        else:
            self._fault(marks[0], "merge-key", "<< requires an alias of a mapping, or a list of such aliases")
        self._drop(frame, value, start)

    def _merge(self, frame: _Frame, merges: list[tuple[_Data, Marks]]) -> None:
        for mapping, marks in merges:
            for key, child, key_index, index in members(mapping, 0):
                if key not in frame.value:
                    frame.value[key] = child
                    self._marks.append(marks[key_index])
                    self._marks.extend(marks[index : index + size(child)])

    # -- faults -------------------------------------------------------------------------------------------------------

    def _too_deep(self) -> Stop:
        message = f"nested more than {DEPTH_LIMIT} levels deep"
        return Stop(self._diagnostic(self._marks[-1], "too-deep", message))

    def _fault(self, mark: int, rule: str, message: str, hint: str = "") -> None:
        self.faults.append(self._diagnostic(mark, rule, message, hint))

    def _diagnostic(self, mark: int, rule: str, message: str, hint: str = "") -> Diagnostic:
        frames = [*self._stack, self._frame][1:]
        keys = [len(frame.value) if frame.key is _ITEM else frame.key for frame in frames]
        parts = [key for key in keys if key is not None]
        return Diagnostic(as_place(self._file, mark), message, rule, pointer(*parts), hint)


def _height(value: _Data) -> int:
    """How many levels of mappings and lists a value has."""
    if not isinstance(value, dict | list):
        return 0
    return 1 + max(map(_height, value.values() if isinstance(value, dict) else value), default=0)
