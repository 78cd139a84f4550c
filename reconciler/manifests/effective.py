"""An effective manifest -> a document with the origin of each value: YAML with comments, or data.

The YAML is a valid manifest with the same meaning when loaded again. So it is written for any YAML parser and for the
loader: texts that could be read as another type are quoted, and a ``${`` that is no longer a reference is written as
``$${``.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from itertools import chain, zip_longest
from typing import Any, Final

from reconciler.kinds import short
from reconciler.manifests.edit.text import YamlStyle, block
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
    """What the environment contributes to a manifest."""

    environment: str
    file: str
    """The configuration."""
    ids: Mapping[Address, str]
    at: Callable[[str], Place | None] = lambda _: None
    """JSON pointer into the configuration -> its place."""

    def place(self, *parts: str) -> Place | None:
        """The place of a key of the environment."""
        return self.at(pointer("environments", self.environment, *parts))


@dataclass(frozen=True, slots=True)
class ValueOrigin:
    """The origin of a value."""

    place: Place
    values: tuple[str, ...] = ()
    """The keys of the configuration that it is made of: ``values.domain``, ``ids.storefront``."""
    defined: tuple[Place | None, ...] = ()
    """The place of each of them in the configuration, if it differs from `place`."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """A whole manifest of one environment, secrets as references."""

    body: Body
    origins: Mapping[str, ValueOrigin]
    """JSON pointer of each value that is not a mapping -> its origin; members of lists are included."""
    verbatim: frozenset[str]
    """Pointers below which no text is substituted when the manifest is loaded."""


def resolve(manifest: EffectiveManifest, bound: Bound) -> Resolved:
    """Complete a manifest with parts that were removed or come from elsewhere, and find the places of all values."""
    resource = manifest.resource
    body: dict[str, Any] = {**manifest.body}
    if resource.id is not None:  # the environment's, if it has one
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
    """The reference as an entry; the path of a file is relative to the configuration's folder."""
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
        """Each value with its origin; members of a substituted value have the origin of the whole."""
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
    """The place of a manifest's id in the environment."""
    places = {name: bound.place("ids", name) for name in (str(address), short(address))}
    name = next((name for name, place in places.items() if place), short(address))
    return ValueOrigin(places[name] or Place(bound.file), (f"ids.{name}",))


# ---------------------------------------------------------------------------------------------------------------- JSON


FORMAT_VERSION: Final = "1.0"
_BELOW: Final = 4 * " "


def as_json(resolved: Iterable[Resolved], environment: str) -> Iterator[str]:
    """All manifests and their places as one document, in pieces. Texts are verbatim, without ``$${``."""
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
    """The lines of each manifest, without line ends. File names in comments are not escaped."""
    yield iter([f"# The manifests of environment {environment}, after overlays and substitution."])
    for one in resolved:
        yield chain(["---"], block(_literal(one), 0, YamlStyle(comment=partial(_comment, one, environment))))


def _literal(resolved: Resolved) -> Body:
    """The body with each ``${`` escaped, except where nothing is substituted."""
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
