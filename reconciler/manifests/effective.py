"""An effective manifest -> a document that says of each of its values where it came from: YAML with comments, or data.

The YAML is a valid manifest: loaded again, it asks for the same. So it is written for any reader of YAML, and for the
loader's own rules: whatever could be taken for something else than a text stands in quotes, and a ``${`` that is no
reference any more is written as ``$${``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import chain, zip_longest
from typing import Any, Final

from reconciler.kinds import short
from reconciler.manifests.edit.text import Style, block
from reconciler.manifests.substitution import literal
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Place
from reconciler.model.json import Body, Json, is_array, pointer
from reconciler.model.named_secret import secret_entry
from reconciler.model.resource import Address, EffectiveManifest
from reconciler.model.secret import SecretReference, delivery_entry
from reconciler.render.escape import json_text


@dataclass(frozen=True, slots=True)
class Bound:
    """What the environment itself says of a manifest."""

    environment: str
    file: str
    """The configuration."""
    ids: Mapping[Address, str]
    at: Callable[[str], Place | None] = lambda _: None
    """JSON pointer into the configuration -> where it stands."""

    def place(self, *parts: str) -> Place | None:
        """Where something stands that the environment has."""
        return self.at(pointer("environments", self.environment, *parts))


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """Where a value came from."""

    place: Place
    values: tuple[str, ...] = ()
    """What the configuration gave to it: ``values.domain``, ``ids.storefront``."""
    defined: tuple[Place | None, ...] = ()
    """Where each of them stands in the configuration, where `place` is not that itself."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A whole manifest of one environment, secrets as references."""

    body: Body
    origins: Mapping[str, ValueOrigin]
    """JSON pointer of each value that is not a mapping -> where it came from; of lists, the members are here, too."""
    verbatim: frozenset[str]
    """Pointers below which no text is substituted when the manifest is loaded."""


def resolve(manifest: EffectiveManifest, bound: Bound) -> Resolved:
    """Complete a manifest with what was taken out of it or comes from elsewhere, and find where all of it stands."""
    resource = manifest.resource
    body: dict[str, Any] = {**manifest.body}
    if resource.id is not None:  # which is the environment's where it has one
        body["metadata"] = {"name": "", "id": ""} | body["metadata"] | {"id": resource.id}
    if resource.secrets:
        references = {name: _reference(secret) for name, secret in resource.secrets.items()}
        body["spec"] = {**resource.spec, **references}
    if resource.named_secrets is not None:
        body["secrets"] = [secret_entry(secret) for secret in resource.named_secrets]
    origins = dict(_Origins(manifest, dict(resource.places), bound).of(body, "", ValueOrigin(resource.place)))
    if resource.address in bound.ids:
        origins["/metadata/id"] = _bound_id(resource.address, bound)
    return Resolved(body, origins, frozenset(pointer("spec", secret) for secret in resource.secrets))


def _reference(secret: SecretReference | None) -> Json:
    """A file's path is relative to the configuration's folder, which is where the document would have to stand."""
    if secret is None:
        return None
    if secret.is_generated:
        return {"generate": True, "deliver": [delivery_entry(delivery) for delivery in secret.deliver]}
    return {secret.source.value: secret.name}


@dataclass(frozen=True, slots=True)
class _Origins:
    manifest: EffectiveManifest
    places: Mapping[str, Place]
    bound: Bound

    def of(self, value: Json, at: str, above: ValueOrigin) -> Iterator[tuple[str, ValueOrigin]]:
        """Each value with its origin; what a value that was put in as a whole contains came from the same place."""
        origin = self._at(at, above)
        if isinstance(value, Mapping) and value:
            for key, child in value.items():
                yield from self.of(child, at + pointer(key), origin)
            return
        yield at, origin
        for index, child in enumerate(value if is_array(value) else ()):
            yield from self.of(child, f"{at}/{index}", origin)

    def _at(self, at: str, above: ValueOrigin) -> ValueOrigin:
        place, names = self.places.get(at), self.manifest.values.get(at)
        if place is None and names is None:
            return above
        defined = above.defined if names is None else tuple(self.bound.place(*name.split(".")) for name in names)
        return ValueOrigin(place or above.place, above.values if names is None else names, defined)


def _bound_id(address: Address, bound: Bound) -> ValueOrigin:
    """Where the environment has the id of a manifest."""
    places = {name: bound.place("ids", name) for name in (str(address), short(address))}
    name = next((name for name, place in places.items() if place), short(address))
    return ValueOrigin(places[name] or Place(bound.file), (f"ids.{name}",))


# ---------------------------------------------------------------------------------------------------------------- JSON


FORMAT_VERSION: Final = "1.0"
_BELOW: Final = 4 * " "


def as_json(resolved: Iterable[Resolved], environment: str) -> Iterator[str]:
    """All manifests and their places as one document, in pieces. Texts are what they are: nothing stands as ``$${``."""
    head, end = json_text({"format_version": FORMAT_VERSION, "environment": environment, "manifests": []}).split("[]")
    yield f"{head}["
    separator = ""
    for one in resolved:
        places = {at: _place(origin) for at, origin in one.origins.items()}
        manifest = json_text({"manifest": one.body, "places": places}).rstrip("\n").replace("\n", f"\n{_BELOW}")
        yield f"{separator}\n{_BELOW}{manifest}"
        separator = ","
    yield f"\n  ]{end}" if separator else f"]{end}"


def _place(origin: ValueOrigin) -> Json:
    values = zip(origin.values, origin.defined, strict=False)
    defined: list[Json] = [{"name": name, **asdict(place)} for name, place in values if place]
    return {
        **asdict(origin.place),
        **({"value": ", ".join(origin.values)} if origin.values else {}),
        **({"values": defined} if defined else {}),
    }


# ---------------------------------------------------------------------------------------------------------------- YAML


def as_yaml(resolved: Iterable[Resolved], environment: str) -> Iterator[Iterator[str]]:
    """The lines of each manifest, without line ends. The names of files in comments are as they are, not escaped."""
    yield iter([f"# The manifests of environment {environment}, after overlays and substitution."])
    for one in resolved:
        yield chain(["---"], block(_literal(one), 0, Style(comment=partial(_comment, one, environment))))


def _literal(resolved: Resolved) -> Body:
    """The body with each ``${`` written so that it stays a text, but where nothing is substituted."""
    spec = resolved.body["spec"]
    assert isinstance(spec, Mapping)  # noqa: S101  # it has passed the schema
    kept = {key: spec[key] if pointer("spec", key) in resolved.verbatim else literal(spec[key]) for key in spec}
    return {key: kept if key == "spec" else literal(value) for key, value in resolved.body.items()}


def _comment(resolved: Resolved, environment: str, at: tuple[str | int, ...]) -> str:
    origin = resolved.origins[pointer(*at)]
    if not origin.values:
        return f"  # {_line(origin.place)}"
    named = zip_longest(origin.values, origin.defined)
    values = [f"{name} ({_line(place)})" if place else name for name, place in named]
    return f"  # {', '.join(values)} of {environment} ({_line(origin.place)})"


def _line(place: Place) -> str:
    return f"{place.file}:{place.line}" if place.line else place.file
