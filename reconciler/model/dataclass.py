"""A class of annotated fields -> its dataclass, created in a tenth of the time.

The standard decorator compiles up to ten methods for each class, which took half of the start-up of a command. Here a
method is compiled on its first call, and most are never called in a run.
"""

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, FrozenInstanceError
from typing import TYPE_CHECKING, Any, Final, NoReturn

if TYPE_CHECKING:
    from inspect import Signature

_ORDERING: Final = {"__lt__": "<", "__le__": "<=", "__gt__": ">", "__ge__": ">="}


def _dataclass(*, frozen: bool = False, slots: bool = False, order: bool = False) -> Callable[[type], type]:
    """`dataclasses.dataclass` without `InitVar` and `kw_only`; `fields`, `replace` and `asdict` work with it."""

    def decorate(described: type) -> type:
        described.__doc__ = described.__doc__ or described.__name__  # otherwise a signature is computed as its text
        cls: type = dataclasses.dataclass(init=False, repr=False, eq=False, slots=slots)(described)
        late = ["__init__", "__eq__", *(["__hash__"] if frozen else []), *(_ORDERING if order else [])]
        methods = {**{name: _late(cls, name) for name in late}, **(_FROZEN if frozen else _MUTABLE)}
        for name in methods.keys() - described.__dict__.keys():
            setattr(cls, name, methods[name])
        return cls

    return decorate


if TYPE_CHECKING:
    from dataclasses import dataclass as dataclass  # noqa: PLC0414  # so that it is exported
else:
    dataclass = _dataclass


def _late(cls: type, name: str) -> Callable[..., object]:
    """A method that replaces itself by the compiled one on its first call."""

    def call(*args: object, **kwargs: object) -> object:
        compiled = _compile(cls, name)
        setattr(cls, name, compiled)
        return compiled(*args, **kwargs)

    return call


def _compile(cls: type, name: str) -> Callable[..., object]:
    fields = dataclasses.fields(cls)
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": MISSING}
    for one in fields:
        known |= {f"_default_{one.name}": one.default, f"_make_{one.name}": one.default_factory}
    source = (
        _init(cls, fields) if name == "__init__" else _comparison(name, [one.name for one in fields if one.compare])
    )
    exec(source, known)  # noqa: S102  # of the names of fields alone, as the standard library does
    compiled: Callable[..., object] = known[name]
    compiled.__qualname__ = f"{cls.__qualname__}.{name}"
    return compiled


def _init(cls: type, fields: tuple[Field[Any], ...]) -> str:
    given = [f"{one.name}=_default_{one.name}" if _is_optional(one) else one.name for one in fields if one.init]
    lines = [f"_set(self, {one.name!r}, {_value(one)})" for one in fields if one.init or _is_optional(one)]
    lines += ["self.__post_init__()"] if hasattr(cls, "__post_init__") else []
    return f"def __init__({', '.join(['self', *given])}):\n " + "\n ".join(lines or ["pass"])


def _is_optional(one: Field[Any]) -> bool:
    return one.default is not MISSING or one.default_factory is not MISSING


def _value(one: Field[Any]) -> str:
    given = one.name if one.init else f"_default_{one.name}"
    return given if one.default_factory is MISSING else f"_make_{one.name}() if {given} is _MISSING else {given}"


def _comparison(name: str, compared: list[str]) -> str:
    mine, theirs = (f"({''.join(f'{side}.{one}, ' for one in compared)})" for side in ("self", "other"))
    if name == "__hash__":
        return f"def __hash__(self):\n return hash({mine})"
    answer = f"{mine} {_ORDERING.get(name, '==')} {theirs}"
    return f"def {name}(self, other):\n return {answer} if other.__class__ is self.__class__ else NotImplemented"


def _show(self: Any) -> str:  # noqa: ANN401  # any dataclass
    shown = (f"{one.name}={getattr(self, one.name)!r}" for one in dataclasses.fields(self) if one.repr)
    return f"{type(self).__qualname__}({', '.join(shown)})"


def _refuse_to_set(_self: object, name: str, _value: object) -> NoReturn:
    raise FrozenInstanceError(f"cannot assign to field {name!r}")


def _refuse_to_delete(_self: object, name: str) -> NoReturn:
    raise FrozenInstanceError(f"cannot delete field {name!r}")


def _restore(self: object, state: Any) -> None:  # noqa: ANN401  # returned by `object.__getstate__`
    for part in state if isinstance(state, tuple) else (state,):
        for name, value in (part or {}).items():
            object.__setattr__(self, name, value)


class _Signature:
    """The signature for `help` and editors: fields with their types, ``...`` for a default factory."""

    def __get__(self, _instance: object, cls: type) -> "Signature":
        from inspect import Parameter, Signature  # noqa: PLC0415  # no run needs it

        def default(one: Field[Any]) -> Any:  # noqa: ANN401  # of any field
            return one.default if one.default is not MISSING else ... if _is_optional(one) else Parameter.empty

        kind = Parameter.POSITIONAL_OR_KEYWORD
        given = [one for one in dataclasses.fields(cls) if one.init]
        shown = [Parameter(one.name, kind, default=default(one), annotation=one.type) for one in given]
        return Signature(shown, return_annotation=None)


_SIGNATURE: Final = _Signature()
_MUTABLE: Final[Mapping[str, Any]] = {"__hash__": None, "__repr__": _show, "__signature__": _SIGNATURE}
_FROZEN: Final[Mapping[str, Any]] = {
    "__repr__": _show,
    "__signature__": _SIGNATURE,
    "__setattr__": _refuse_to_set,
    "__delattr__": _refuse_to_delete,
    "__setstate__": _restore,
}
