"""Rows of the service <-> the levels at which a manifest assigns an object to parties.

The ids of a row determine its level: no id is the seller organisation, a buyer's id that buyer, a buyer's and a group's
id that group of the buyer. Internally a row is one line of text: the id, or ``buyer B group G``.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from typing import Final, TypeAlias
from urllib.parse import quote, unquote

from reconciler.kinds.fields import PARTIES, Reference, member_of
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import listed
from reconciler.model.json import Body, Json, get_at, is_array, with_value_at
from reconciler.model.plan import known_after
from reconciler.model.resource import Address, ObjectKey

Row: TypeAlias = Mapping[str, str]
"""Word of a manifest (``buyer``) -> id."""
Shape: TypeAlias = tuple[str, ...]
"""The words of a row, in the order of `_WORDS`."""

_FIELDS: Final[Mapping[str, str]] = {
    "messageType": "MessageType",
    "buyer": "BuyerID",
    "supplier": "SupplierID",
    "group": "UserGroupID",
    "user": "UserID",
}
"""Word of a manifest -> the field of a row."""
ABOUT: Final[Mapping[str, str]] = {"forBuyer": "buyer", "forSupplier": "supplier", "forGroup": "group"}
"""Word of a row that refers to another assignment -> the word for the same party in that assignment."""
_SELLER: Final = "seller"
_COMPANIES: Final = ("buyer", "supplier")
_ABOUT_WHOM: Final = (*((word,) for word in ABOUT), ("forBuyer", "forGroup"), ("forSupplier", "forGroup"))
_PARTIES: Final = ("BuyerID", "SupplierID", "GroupID", "UserID")
"""Suffixes of fields that name a party, including parties that are not known yet."""
_WORDS: Final = ("messageType", *ABOUT, *(word for word in _FIELDS if word != "messageType"))


@cache
def _places(object_path: tuple[str, ...]) -> Mapping[str, tuple[str, ...]]:
    """The field of a row for each word, without the ID of the object."""
    about = {word: (*object_path[:-1], _FIELDS[party]) for word, party in ABOUT.items()} if object_path[1:] else {}
    found = {**about, **{word: (name,) for word, name in _FIELDS.items()}}
    return {word: found[word] for word in _WORDS if word in found and found[word] != object_path}


def _any_of(shapes: Sequence[Shape]) -> str:
    return listed((f"{{{', '.join(shape)}}}" for shape in shapes), "or")


@dataclass(frozen=True, slots=True)
class Level:
    """Rows of some shapes."""

    name: str
    """Its name in a manifest: ``buyers``."""
    about: str
    """The parties of its rows, in the plural: ``buyers``."""
    shapes: tuple[Shape, ...]
    path: str
    """The path where its rows are listed, and added by POST."""
    object_path: tuple[str, ...]
    """The path in a row to the id of the object."""
    deletion: str = ""
    """The path that deletes a row; other ids go into the query. Empty: the API cannot delete rows."""
    everyone_field: str = ""
    """The flag that allows all such parties, so that assignments have no effect."""
    message_types: tuple[str, ...] = ()
    section: str = ""
    """The name of the list in seeding files, if it is not derived from the kind."""

    @property
    def is_flag(self) -> bool:
        """Whether there is at most one row: true or false in a manifest."""
        return self.shapes == ((),)

    def filters(self, objects: Collection[str]) -> tuple[Mapping[str, str], ...]:
        """The query that filters the list of rows by object; empty if the API has none."""
        name, *inner = self.object_path
        is_filter = all(objects) and not inner
        return tuple({name[0].lower() + name[1:]: one} for one in objects if is_filter)

    @property
    def is_plain(self) -> bool:
        """Whether a row is one id."""
        return len(self.shapes) == 1 and len(self.shapes[0]) == 1

    @property
    def is_of_users(self) -> bool:
        """Whether its rows are single users, which are data rather than configuration."""
        return all("user" in shape for shape in self.shapes)

    @property
    def words(self) -> tuple[str, ...]:
        """All words that a row may have."""
        return tuple(word for word in _WORDS if any(word in shape for shape in self.shapes))

    @property
    def usage(self) -> str:
        """The allowed combinations of words in a row, for messages."""
        alone = [shape for shape in self.shapes if not any(word in ABOUT for word in shape)]
        usage = f"name {_any_of(alone)}"
        return f"{usage}, each also with {_any_of(_ABOUT_WHOM)}" if self.object_path[1:] else usage

    @property
    def kind(self) -> str:
        """The kind that a plain row refers to; empty if it is not managed."""
        return PARTIES[self.shapes[0][0]].kind if self.is_plain else ""

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields of its rows, by their API names."""
        return (*self.object_path, *(_places(self.object_path)[word][-1] for word in self.words))

    def texts(self, value: Json) -> tuple[str, ...]:
        """The rows of a manifest; for a reference, the placeholder of the id until it is known."""
        if is_array(value):
            return tuple(map(self._text, value))
        return (_SELLER,) if value is True else ()

    def _text(self, value: Json) -> str:
        if not isinstance(value, Mapping):
            return str(value)
        if "ref" in value:
            return known_after(Address(self.kind, str(value["ref"])))
        return self._line({word: str(value[word]) for word in self.words if word in value})

    def value(self, texts: Iterable[str]) -> Json:
        """The entries of a manifest for some rows, in a fixed order."""
        ordered = sorted(texts, key=str.casefold)
        if self.is_flag:
            return bool(ordered)
        return list(ordered) if self.is_plain else [dict(self.row(text)) for text in ordered]

    def row(self, text: str) -> Row:
        """The ids of a row."""
        if self.is_flag:
            return {}
        if self.is_plain:
            return {self.shapes[0][0]: text}
        parts = text.split(" ")
        return dict(zip(parts[::2], map(unquote, parts[1::2]), strict=False))

    def takes(self, text: str) -> bool:
        """Whether the text is a row of this level."""
        row = self.row(text)
        return tuple(row) in self.shapes and all(row.values()) and self._line(row) == text

    def _line(self, row: Row) -> str:
        if self.is_flag:
            return _SELLER
        if self.is_plain:
            return row[self.shapes[0][0]]
        return " ".join(f"{word} {quote(one, safe='')}" for word, one in row.items())

    def found(self, row: Body) -> str | None:
        """The text of a row of the service; None if it is of another level."""
        places = _places(self.object_path).items()
        ids = {word: one for word, at in places if isinstance(one := get_at(row, at), str) and one}
        return self._line(ids) if tuple(ids) in self.shapes and not self._names_another(row) else None

    def _names_another(self, row: Body) -> bool:
        """Whether a row has the ID of a type of party that this version does not know."""
        known = (*_FIELDS.values(), self.object_path[0])
        return any(name.endswith(_PARTIES) and name not in known and value for name, value in row.items())

    def object_id(self, row: Body) -> str | None:
        """The id of the object that a row belongs to."""
        found = get_at(row, self.object_path)
        return found if isinstance(found, str) else None

    def key(self, object_id: str | None, text: str | None) -> tuple[str, str]:
        """The comparison key of a row: ids are compared without case."""
        return (object_id or "").casefold(), (text or "").casefold()

    def keys(self, rows: Iterable[Body]) -> frozenset[tuple[str, str]]:
        """The keys of the service's rows that are of this level."""
        return frozenset(self.key(self.object_id(row), text) for row in rows if (text := self.found(row)) is not None)

    def body(self, object_id: str, text: str) -> Body:
        """The request body that adds a row."""
        body = with_value_at({}, self.object_path, object_id)
        for word, one in self.row(text).items():
            body = with_value_at(body, _places(self.object_path)[word], one)
        return body

    def deleted_by(self, object_id: str, text: str) -> tuple[str, Mapping[str, str]]:
        """The path and the query that delete a row."""
        fields = {self.object_path[-1]: object_id, **{_FIELDS[word]: one for word, one in self.row(text).items()}}
        query = {
            f"{name[0].lower()}{name[1:]}": one for name, one in fields.items() if f"{{{name}}}" not in self.deletion
        }
        return self.deletion.format_map({name: quote(one, safe="") for name, one in fields.items()}), query

    def targets(self, text: str) -> Iterator[tuple[Reference, str]]:
        """The objects that the row refers to, the company first."""
        row = self.row(text)
        about = {ABOUT[word]: one for word, one in row.items() if word in ABOUT}
        for parties in (about, {word: one for word, one in row.items() if word in PARTIES}):
            company = next((word for word in _COMPANIES if word in parties), "")
            for word, one in parties.items():
                is_member = company and word != company
                yield (member_of(company, parties[company], word) if is_member else PARTIES[word]), one

    def roles(self) -> Iterator[tuple[str, str]]:
        """The roles that can look up its parties, and the purpose."""
        for shape in self.shapes:
            parties = [word for word in shape if word in PARTIES]
            if parties:
                to = member_of(parties[0], "", parties[1]) if len(parties) > 1 else PARTIES[parties[0]]
                yield to.role, f"assignments to {self.about}"


@dataclass(frozen=True, slots=True)
class Assignments:
    """How the parties assigned to objects of a kind are listed and changed."""

    levels: tuple[Level, ...]
    description: str
    """The meaning of an assignment."""
    grants: bool = True
    """Whether more assignments widen access."""
    roles: tuple[str, ...] = ()
    """The roles that the login needs to read them, if the readers of the kind are not sufficient."""

    def level(self, name: str) -> Level:
        """The level of this name."""
        return next(level for level in self.levels if level.name == name)

    def key(self, name: str, text: str) -> ObjectKey | None:
        """The object of a managed kind that a row refers to."""
        to = self.level(name).kind
        return ObjectKey(to, text) if to else None

    def has(self, name: str, text: str) -> bool:
        """Whether there is such a level with such a row."""
        return any(level.name == name and level.takes(text) for level in self.levels)

    @property
    def paths(self) -> tuple[str, ...]:
        """Every list of rows."""
        return tuple(dict.fromkeys(level.path for level in self.levels))

    def of_objects(self, path: str, rows: Iterable[Body]) -> Mapping[str, Mapping[str, tuple[str, ...]]]:
        """Object id, case folded -> level -> rows, of one list. Rows of no level are skipped.

        Raises:
            LookupError: a row names no object.
        """
        levels = [level for level in self.levels if level.path == path]
        found: dict[str, dict[str, tuple[str, ...]]] = defaultdict(dict)
        for row in rows:
            object_id = levels[0].object_id(row)
            if object_id is None:
                raise LookupError(".".join(levels[0].object_path))
            of_object = found[object_id.casefold()]
            for level in levels:
                text = level.found(row)
                if text is not None:
                    of_object[level.name] = (*of_object.get(level.name, ()), text)
        return found


_SHAPES: Final[Mapping[str, tuple[str, tuple[Shape, ...]]]] = {
    "seller": ("the seller organisation", ((),)),
    "buyers": ("buyers", (("buyer",),)),
    "suppliers": ("suppliers", (("supplier",),)),
    "adminGroups": ("groups of the seller's users", (("group",),)),
    "adminUsers": ("users of the seller", (("user",),)),
    "groups": ("groups of buyers and suppliers", tuple((company, "group") for company in _COMPANIES)),
    "users": ("users of buyers and suppliers", tuple((company, "user") for company in _COMPANIES)),
}


def levels(
    path: str, object_field: str, deletion: str, *names: str, everyone: Mapping[str, str] | None = None
) -> tuple[Level, ...]:
    """The levels of these names, all in one list and deleted in one way."""
    return tuple(
        Level(name, *_SHAPES[name], path, (object_field,), deletion, (everyone or {}).get(name, "")) for name in names
    )


def listeners(name: str, path: str, object_path: tuple[str, ...], message_types: tuple[str, ...]) -> Level:
    """The level of copies of messages for one assignment, which the API cannot delete."""
    parties = [shape for _, each in _SHAPES.values() for shape in each]
    shapes = tuple(("messageType", *one, *party) for one in ((), *_ABOUT_WHOM) for party in parties)
    section = "MessageCCListenerAssignments"
    about = "recipients of copies of messages"
    return Level(name, about, shapes, path, object_path, message_types=message_types, section=section)
