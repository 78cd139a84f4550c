"""The fields of a kind -> the type faults of a service body. The only module that uses pydantic.

Imported with the first body, so that runs that only read manifests do not wait for it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from reconciler.kinds.fields import Choice, Data, Field, Flag, Many, Record, Role, Text, Type, Whole
from reconciler.model.json import Body, is_nested_deeper, pointer

MAX_DEPTH: Final = 100
"""The most levels of arrays and objects in one field, because other code recurses over them."""


class _ServiceBody(BaseModel):
    """Strict about the types of known fields; ignores unknown ones."""

    model_config = ConfigDict(strict=True, extra="ignore")


def checker(name: str, table: Sequence[Field], id_field: str) -> Callable[[Body], dict[str, str]]:
    """Build the function that checks bodies of a kind and returns a message for each faulty field, without its value.

    Every field except the id may be missing or null.
    """
    writable = [one for one in table if not one.read_only]
    model = _model(f"{name}Body", writable, {id_field: (str, ...)})

    def faults(body: Body) -> dict[str, str]:
        is_deep = is_nested_deeper(body, 1 + MAX_DEPTH)  # rarely true, and one check of the whole body is cheaper
        deep = [field for field, value in body.items() if is_nested_deeper(value, MAX_DEPTH)] if is_deep else []
        found = {field: f"{pointer(field)}: nested more than {MAX_DEPTH} levels deep" for field in deep}
        try:
            model.model_validate(
                {field: value for field, value in body.items() if field not in found} if found else body
            )
        except ValidationError as error:
            for fault in error.errors(include_input=False):
                found.setdefault(str(fault["loc"][0]), f"{pointer(*fault['loc'])}: {fault['msg']}")
        return found

    return faults


def _model(name: str, fields: Iterable[Field], others: Mapping[str, Any]) -> type[BaseModel]:
    known: dict[str, Any] = {one.name: (_annotation(one.type) | None, None) for one in fields}
    return create_model(name, __base__=_ServiceBody, **known, **others)


def _annotation(wanted: Type) -> Any:
    match wanted:
        case Text() | Choice() | Role():
            return str
        case Flag():
            return bool
        case Whole():
            return int
        case Data():
            return dict[str, Any]
        case Record(name, fields):
            return _model(name, fields, {})
        case Many(member):
            return list[_annotation(member)]  # type: ignore[misc]  # built at run time
