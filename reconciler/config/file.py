"""Build a `Config` from the data of reconciler.yaml, or list its faults.

The schema has already checked names and types, so this module only reads: checking them again would
double the time of a `validate`, which editors and commit hooks wait for.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import field, replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from reconciler.config import settings
from reconciler.config.settings import BASE_URLS, EMULATOR_URL, Auth, Config, EmulatorSettings, Environment, kind_faults
from reconciler.kinds import address_of
from reconciler.kinds.checks import RuleLevel
from reconciler.manifests.files import below, objection_to_write
from reconciler.manifests.schema import Fault, did_you_mean
from reconciler.model.dataclass import dataclass
from reconciler.model.json import Json, pointer
from reconciler.model.plan import Limits
from reconciler.model.resource import Address, AssignmentsPolicy, FieldsPolicy, ObjectKey, Policy, Scope
from reconciler.model.secret import SecretReference, is_own_variable

JOURNAL_FOLDER: Final = ".reconciler/runs"
DEFAULT_CONCURRENCY: Final = 8
_REQUIRED: Final = {
    "marketplace": "set it to the marketplace's ID, as shown in the portal",
    "auth": "write auth: {clientId: ID, clientSecret: {fromEnv: NAME}}",
}
_STAGING: Final = "staging"

_T = TypeVar("_T")


def config_of(data: Json, path: Path) -> Config | list[Fault]:
    """Build the configuration from data that fits the schema; `path` is the file's, absolute."""
    assert isinstance(data, Mapping)  # noqa: S101  # it has passed the schema
    file = _Part(data, path.parent)
    parts = {name: file.part("environments").part(name) for name in file.data["environments"]}
    environments = {name: _environment(part, name, file) for name, part in parts.items()}
    journal = file.part("journal").written("folder", JOURNAL_FOLDER)
    own = _own_credentials(environments.values())
    shared = file.read("scope", settings.scope) or Scope()
    _check_file(file, parts, own)
    if file.faults:
        return file.faults
    return Config(
        path,
        file.paths("manifests"),
        {
            name: replace(each, own_credentials=own, scope=shared if each.scope.is_everything else each.scope)
            for name, each in environments.items()
        },
        journal=journal or path.parent,
        promote=tuple(file.get("promote", ())),
    )


@dataclass(frozen=True, slots=True)
class _Part:
    """A mapping in the file and its place. The faults of all parts are collected in one list."""

    data: Mapping[str, Any]
    folder: Path
    """The folder of the file, to which paths are relative."""
    at: str = ""
    """JSON pointer."""
    faults: list[Fault] = field(default_factory=list)

    def get(self, key: str, default: Any = None) -> Any:  # noqa: ANN401  # the schema knows the type
        """The value of a key, or the default; null counts as missing."""
        found = self.data.get(key)
        return default if found is None else found

    def part(self, key: str) -> "_Part":
        """The mapping of a key, or an empty one."""
        return _Part(self.get(key, {}), self.folder, self.at + pointer(key), self.faults)

    def add_faults(self, *faults: Fault) -> None:
        """Add faults whose pointers are relative to this part."""
        self.faults.extend(fault.moved("", self.at) for fault in faults)

    def read(self, key: str, read: Callable[[Any], _T | list[Fault]]) -> _T | None:
        """Convert the value of a key; None if it is missing or has a fault."""
        value = self.get(key)
        found = None if value is None else read(value)
        if isinstance(found, list):
            self.add_faults(*(fault.moved("", pointer(key)) for fault in found))
            return None
        return found

    def reference(self, key: str) -> SecretReference | None:
        """The secret reference of a key."""
        return self.read(key, partial(settings.reference_in, self.folder))

    def text(self, key: str) -> str | SecretReference | None:
        """The text or secret reference of a key."""
        value = self.get(key)
        return value if isinstance(value, str) else self.reference(key)

    def paths(self, key: str) -> tuple[Path, ...]:
        """The paths of a key, absolute."""
        return tuple(below(self.folder, each) for each in self.get(key, ()))

    def written(self, key: str, default: str | None = None) -> Path | None:
        """A path that is written to, which must be in the repository and not below .git."""
        text = self.get(key, default)
        if not text:
            return None
        path = below(self.folder, text)
        if objection := objection_to_write(path, self.folder):
            message = f"{text} {objection}"
            self.add_faults(Fault(pointer(key), message, "written-path", "choose a place inside the repository"))
        return path


def _emulator(part: _Part) -> EmulatorSettings:
    seed = below(part.folder, named) if (named := part.get("seed")) else None
    return EmulatorSettings(seed, part.written("state"), part.get("profile", "current"))


def _auth(part: _Part) -> Auth | None:
    """The login; None if it has a fault."""
    known = len(part.faults)
    if not (part.get("username") or part.get("password") or part.get("clientSecret")):
        hint = "write clientSecret: {fromEnv: NAME}, with the name of its environment variable"
        part.add_faults(Fault("", "clientSecret is missing, or username and password", "auth", hint))
    elif (part.get("username") is None) != (part.get("password") is None):
        missing = "password" if part.get("password") is None else "username"
        part.add_faults(Fault("", f"{missing} is missing", "auth", "username and password are required together"))
    client_id, username = part.text("clientId"), part.text("username")
    client_secret, password = part.reference("clientSecret"), part.reference("password")
    if client_id is None or len(part.faults) > known:
        return None
    return Auth(client_id, client_secret, username, password, part.get("scope", ""))


def _limits(part: _Part) -> Limits:
    """The limits. A missing limit has the default of `Limits`; null removes it."""
    kinds = part.part("kinds")
    for kind in kinds.data:
        part.add_faults(*kind_faults(kind, pointer("kinds", kind), at_key=True))
    of_kinds = {
        kind: Limits(**{"deletes": None, **_numbers(kinds.part(kind))}, name=f"limits.kinds.{kind}")
        for kind in kinds.data
    }
    return Limits(**_numbers(part), kinds=of_kinds)


def _numbers(part: _Part) -> dict[str, Any]:
    names = {"changesPercent": "changes_percent"} | {key: key for key in ("changes", "deletes", "widens", "restore")}
    return {name: part.data[key] for key, name in names.items() if key in part.data}


def _rules(part: _Part, file: _Part) -> dict[str, RuleLevel]:
    """The levels of rules. Those of the environment take precedence over those of the file."""
    merged = {**file.get("rules", {}), **part.get("rules", {})}
    return {name: RuleLevel(level) for name, level in merged.items()}


def _defaults(part: _Part, file: _Part) -> Policy:
    """The default policy of manifests. Keys of the environment take precedence over those of the file."""
    merged = {**file.part("defaults").get("policy", {}), **part.part("defaults").get("policy", {})}
    fields, assignments = merged.get("fields", FieldsPolicy.MERGE), merged.get("assignments", AssignmentsPolicy.EXACT)
    return Policy(FieldsPolicy(fields), AssignmentsPolicy(assignments))


def _environment(part: _Part, name: str, file: _Part) -> Environment:
    """One environment, without `own_credentials`, which need all environments."""
    auth = _auth(part.part("auth")) if part.get("auth") is not None else None
    url = part.read("url", settings.base_url)
    part.add_faults(*_target_faults(part), *_restore_faults(part), *_credential_faults(part))
    part.add_faults(*_id_faults(part.get("ids", {})))
    secrets = part.part("secrets")
    return Environment(
        name,
        url or BASE_URLS.get((part.get("region", ""), part.get("stage", "")), EMULATOR_URL),
        _emulator(part.part("emulator")) if part.get("emulator") is not None else None,
        part.get("marketplace"),
        auth,
        part.get("values", {}),
        frozenset(secrets.get("allow", ())),
        secrets.paths("folders"),
        ids={address_of(name): known for name, known in part.get("ids", {}).items()},
        manages=frozenset(file.get("manage", ())),
        limits=_limits(part.part("limits")),
        concurrency=part.get("concurrency", DEFAULT_CONCURRENCY),
        create=part.get("create", "auto"),
        rules=_rules(part, file),
        overlays=part.paths("overlays"),
        freeze=part.read("freeze", settings.windows) or (),
        defaults=_defaults(part, file),
        unmanaged_is_drift=part.part("drift").get("unmanaged", file.part("drift").get("unmanaged")) == "fail",
        scope=part.read("scope", settings.scope) or Scope(),
        protected=tuple(part.get("protected", ())),
    )


def _target_faults(part: _Part) -> Iterator[Fault]:
    named = [key for key in ("emulator", "url", "region", "stage") if part.get(key) is not None]
    if named in (["emulator"], ["url"], ["region", "stage"]):
        return
    hint = "set exactly one of: emulator; url; region and stage"
    if not named:
        yield Fault("", "the environment has no target", "target", hint)
    elif len(named) == 1:
        yield Fault(f"/{named[0]}", "region and stage are required together", "target", hint)
    else:
        yield Fault(f"/{named[-1]}", f"the target is set twice, by {' and '.join(named)}", "target", hint)


def _restore_faults(part: _Part) -> Iterator[Fault]:
    stage = part.get("stage", _STAGING)
    if part.part("limits").get("restore") and stage != _STAGING:
        message = f"restore requires stage {_STAGING}, but the stage is {stage}"
        yield Fault(pointer("limits", "restore"), message, "limits", "remove it: OrderCloud restores only staging")


def _credential_faults(part: _Part) -> Iterator[Fault]:
    if part.get("emulator") is not None:
        if part.get("auth") is not None:
            yield Fault("/auth", "the built-in emulator needs no auth", "auth", "remove it", at_key=True)
        return
    for key in ("marketplace", "auth"):
        if part.get(key) is None:
            yield Fault("", f"{key} is missing", "required", _REQUIRED[key], at_key=True)


def _id_faults(ids: Mapping[str, str]) -> Iterator[Fault]:
    objects: dict[ObjectKey, str] = {}
    manifests: dict[Address, str] = {}
    for name, known_id in ids.items():
        address = address_of(name)
        yield from kind_faults(address.kind, pointer("ids", name), at_key=True)
        if (other := manifests.setdefault(address, name)) != name:
            message = f"{name} and {other} name the same manifest"
            yield Fault(pointer("ids", name), message, "duplicate-name", "remove one of them", at_key=True)
        elif (other := objects.setdefault(ObjectKey(address.kind, known_id), name)) != name:
            yield Fault(pointer("ids", name), f"{name} has the same id as {other}", "duplicate-id")


def _own_credentials(environments: Collection[Environment]) -> frozenset[SecretReference]:
    """The credentials of all environments: a job that plans for one may have those of all."""
    logins = [each.auth for each in environments if each.auth]
    named = [one for auth in logins for one in (auth.client_id, auth.client_secret, auth.username, auth.password)]
    return frozenset(one for one in named if isinstance(one, SecretReference))


def _check_file(file: _Part, environments: Mapping[str, _Part], own: frozenset[SecretReference]) -> None:
    for index, kind in enumerate(file.get("manage", ())):
        file.add_faults(*kind_faults(kind, pointer("manage", index)))
    names = {one.name for one in own}
    file.add_faults(*_promotion_faults(file.get("promote"), environments))
    for part in environments.values():
        part.add_faults(*_listed_credentials(part.part("secrets").get("allow", ()), names))
        part.add_faults(*_misplaced_overlays(part.get("overlays", ()), file.data["manifests"]))


def _promotion_faults(order: Sequence[str] | None, environments: Mapping[str, _Part]) -> Iterator[Fault]:
    """The faults of `promote:`. A missing environment would never be applied with the others."""
    for index, name in enumerate(order or ()):
        if name not in environments:
            hint = did_you_mean(name, environments) or f"environments are: {', '.join(environments)}"
            yield Fault(pointer("promote", index), f"there is no environment {json.dumps(name)}", "promote", hint)
    for name, part in environments.items():
        if order is not None and name not in order and part.get("emulator") is None:
            hint = "add it to promote: in the intended order"
            yield Fault("/promote", f"environment {name} is missing", "promote", hint)


def _listed_credentials(allowed: Sequence[str], own: Collection[str]) -> Iterator[Fault]:
    for index, name in enumerate(allowed):
        if name in own or is_own_variable(name):
            message = f"{name} contains the reconciler's own credentials, which manifests must not use"
            yield Fault(pointer("secrets", "allow", index), message, "secret", "remove it from the list")


def _misplaced_overlays(overlays: Sequence[str], manifests: Sequence[str]) -> Iterator[Fault]:
    for index, path in enumerate(overlays):
        contained = [each for each in manifests if below(Path(), each).is_relative_to(below(Path(), path))]
        if contained:
            yield Fault(pointer("overlays", index), f"{path} contains the manifests of {contained[0]}", "overlay")
