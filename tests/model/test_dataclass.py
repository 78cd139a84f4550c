import copy
import dataclasses
import operator
import pickle
import pydoc
from collections.abc import Callable
from dataclasses import FrozenInstanceError, field
from inspect import signature
from typing import Any

import pytest

from reconciler.model.dataclass import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """A place."""

    x: int
    y: int = 2
    note: str = field(default="", compare=False)
    tags: list[str] = field(default_factory=list, repr=False, compare=False)
    total: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", self.x + self.y)


@dataclass(frozen=True, slots=True)
class Empty:
    pass


@dataclass(frozen=True)
class Open:
    x: int
    y: list[int] = field(default_factory=list, init=False)


@dataclass(slots=True)
class Count:
    x: int = 0


@dataclass(frozen=True, slots=True)
class Child(Open):
    z: int = 3

    def __repr__(self) -> str:
        return f"child {self.z}"


def test_an_instance_reads_as_one_of_the_standard_library() -> None:
    assert repr(Point(1, note="n")) == "Point(x=1, y=2, note='n', total=3)"
    assert repr([Empty(), Open(1), Count(), Child(1)]) == "[Empty(), Open(x=1, y=[]), Count(x=0), child 3]"
    assert (Point.__doc__, Empty.__doc__) == ("A place.", "Empty")


def test_help_and_editors_show_the_fields_that_are_given() -> None:
    assert str(signature(Point)) == "(x: int, y: int = 2, note: str = '', tags: list[str] = Ellipsis) -> None"
    assert list(signature(Child).parameters) == ["x", "z"]
    assert "Point(x: int, y: int = 2" in pydoc.render_doc(Point)


def test_instances_compare_by_their_fields_within_their_class() -> None:
    assert Point(1, 3, "a") == Point(x=1, y=3, note="b") != Point(1)
    assert Open(3) != Child(3)
    assert len({Point(1), Point(1, note="a"), Empty(), Empty()}) == 2
    assert sorted([Point(2, 0), Point(1, 3), Point(1, 2)]) == [Point(1, 2), Point(1, 3), Point(2, 0)]
    assert Count(1) == Count(1)
    assert Count(1) != object()
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        assert compare(Point(1), Point(1)) == compare(1, 1)
        with pytest.raises(TypeError):
            compare(Point(1), 1)


@pytest.mark.parametrize(
    "change",
    [
        lambda one: setattr(one, "x", 2),
        lambda one: setattr(one, "other", 2),
        lambda one: delattr(one, "x"),
    ],
)
@pytest.mark.parametrize("one", [Point(1), Open(1), Child(1)])
def test_what_is_frozen_cannot_be_changed(change: Callable[[object], None], one: object) -> None:
    with pytest.raises(FrozenInstanceError):
        change(one)


def test_what_is_not_frozen_can_be_changed_and_is_no_key() -> None:
    count = Count()
    count.x += 1
    assert count == Count(1)
    with pytest.raises(TypeError, match="unhashable"):
        hash(count)


def test_factories_make_a_value_for_each_instance() -> None:
    assert Point(1).tags is not Point(1).tags
    assert Open(1).y is not Open(1).y
    assert Point(1, tags=["a"]).tags == ["a"]


@pytest.mark.parametrize("arguments", [(), (1, 2, "", [], 5)])
def test_wrong_arguments_are_refused_by_the_name_of_the_class(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"Point\.__init__\(\)"):
        Point(*arguments)


def test_the_standard_library_takes_it_for_one_of_its_own() -> None:
    point = Point(1)
    assert dataclasses.replace(point, y=5) == Point(1, 5)
    assert dataclasses.asdict(point) == {"x": 1, "y": 2, "note": "", "tags": [], "total": 3}
    assert [one.name for one in dataclasses.fields(Child)] == ["x", "y", "z"]
    match point:
        case Point(1, y, "", [], total=total):
            assert (y, total) == (2, 3)
        case _:
            raise AssertionError(point)


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])  # noqa: S301  # our own bytes
@pytest.mark.parametrize("one", [Point(1, tags=["a"]), Open(1), Child(1), Count(4), Empty()])
def test_instances_can_be_copied(copied: Callable[[object], object], one: object) -> None:
    assert copied(one) == one
    assert type(copied(one)) is type(one)


def test_a_method_is_compiled_when_it_is_first_called() -> None:
    @dataclass(frozen=True, slots=True)
    class Late:
        x: int

    def compiled() -> list[bool]:
        return [one.__code__.co_filename == "<string>" for one in (Late.__init__, Late.__eq__)]

    assert compiled() == [False, False]
    one = Late(1)
    assert compiled() == [True, False]
    assert one == Late(1)
    assert compiled() == [True, True]
