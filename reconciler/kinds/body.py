"""The fields of a kind -> what is wrong with the types of a service body. The home of pydantic.

Imported when the first body comes: what only reads manifests does not wait for it.
"""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, create_model

from reconciler.model.json import Body, pointer


class _ServiceBody(BaseModel):
    """Strict about the types of fields we know, silent about fields we do not."""

    model_config = ConfigDict(strict=True, extra="ignore")


def checker(name: str, fields: Mapping[str, tuple[Any, Any]]) -> Callable[[Body], list[str]]:
    """Give what judges bodies: one sentence for each fault, none of which quotes a value.

    Args:
        name: the kind's.
        fields: name -> type and default, as pydantic takes them.
    """
    definitions: dict[str, Any] = dict(fields)
    model = create_model(f"{name}Body", __base__=_ServiceBody, **definitions)

    def faults(body: Body) -> list[str]:
        try:
            model.model_validate(body)
        except ValidationError as error:
            return [f"{pointer(*fault['loc'])}: {fault['msg']}" for fault in error.errors(include_input=False)]
        return []

    return faults
