"""The fields of a kind -> what is wrong with the types of a service body. The home of pydantic.

Imported when the first body comes: what only reads manifests does not wait for it.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from reconciler.model.json import Body, is_nested_deeper, pointer

DEEPEST: Final = 100
"""Levels of arrays and objects in one field. Much else recurses over them."""


class _ServiceBody(BaseModel):
    """Strict about the types of fields we know, silent about fields we do not."""

    model_config = ConfigDict(strict=True, extra="ignore")


def checker(name: str, fields: Mapping[str, tuple[Any, Any]]) -> Callable[[Body], dict[str, str]]:
    """Give what judges bodies: a sentence for each field at fault, none of which quotes a value.

    Args:
        name: the kind's.
        fields: name -> type and default, as pydantic takes them.
    """
    definitions: dict[str, Any] = dict(fields)
    model = create_model(f"{name}Body", __base__=_ServiceBody, **definitions)

    def faults(body: Body) -> dict[str, str]:
        deep = [field for field, value in body.items() if is_nested_deeper(value, DEEPEST)]
        found = {field: f"{pointer(field)}: nested more than {DEEPEST} levels deep" for field in deep}
        try:
            model.model_validate({field: value for field, value in body.items() if field not in found})
        except ValidationError as error:
            for fault in error.errors(include_input=False):
                found.setdefault(str(fault["loc"][0]), f"{pointer(*fault['loc'])}: {fault['msg']}")
        return found

    return faults
