"""The secret fields of a spec, its `secrets` and `deliver` -> references, without ever quoting their values."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from reconciler.kinds import Kind, secrecy
from reconciler.manifests.context import LoadContext
from reconciler.manifests.files import AllowedPaths, hint_for
from reconciler.manifests.schema import UNSEPARATED_HINTS, Fault, meant, part_validator
from reconciler.manifests.substitution import Substitution, texts
from reconciler.manifests.yaml.tree import Document
from reconciler.model.dataclass import dataclass
from reconciler.model.diagnostic import Diagnostic, Place, Severity, listed
from reconciler.model.json import Absent, Body, Json, get_at, is_array, pointer, pointer_parts
from reconciler.model.named_secret import LiveSecret, NamedSecret, moment_of, secret_of
from reconciler.model.secret import REDACTION, Delivery, SecretReference, SecretSource, delivery_of, is_own_variable

_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")
_OF_A_KEY: Final = {
    "unknown-field": "unknown field",
    "nothing-to-remove": "this null removes nothing from the manifest",
}
"""Rule -> its message without the key."""
_TAIL: Final = "it is not shown because it may be part of the preceding secret"


def secret_reference(value: Json, name: str, at: str) -> SecretReference | Fault:
    """Read ``{fromEnv: NAME}``, ``{fromFile: PATH}`` or ``{generate: true}``; `name` is the field's, `at` its pointer.

    The path of a file is returned unchanged. Deliveries of a generated one are not checked.
    """
    match value:
        case {"fromEnv": str(variable), **others} if not others:
            return _from_variable(variable, f"{at}/fromEnv")
        case {"fromFile": str(path), **others} if not others:
            return SecretReference(SecretSource.FILE, path)
        case {"generate": True, **others} if others.keys() <= {"deliver"}:
            return SecretReference(SecretSource.GENERATED)
    message = f"{name} is a secret and cannot be written here"
    return Fault(at, message, "secret", f"write {name}: {{fromEnv: NAME}} or {name}: {{fromFile: PATH}}")


def _from_variable(variable: str, at: str) -> SecretReference | Fault:
    if is_own_variable(variable):
        message = f"{variable} is reserved for the reconciler"
        return Fault(at, message, "secret", "use another variable for the secret")
    if _VARIABLE.fullmatch(variable):
        return SecretReference(SecretSource.ENVIRONMENT, variable)
    message = "fromEnv requires the name of an environment variable: uppercase letters, digits and '_'"
    return Fault(at, message, "secret")


def redacted(faults: Iterable[Diagnostic], secret_fields: frozenset[str]) -> Iterator[Diagnostic]:
    """Remove keys from a parser's faults: one may be a part of a pasted secret."""
    for fault in faults:
        parts = pointer_parts(fault.pointer)
        depth = next((index for index, part in enumerate(parts, 1) if part in secret_fields), 0)
        is_below = 0 < depth < len(parts)
        message = f"this is not a reference, which {parts[depth - 1]} requires" if is_below else fault.message
        yield replace(fault, message=message, pointer=pointer(*parts[:depth]))


def without_tails(
    found: Iterable[Diagnostic], secret_fields: frozenset[str], empty: Iterable[Place] = ()
) -> list[Diagnostic]:
    """Remove quotes that may be a part of a literal secret from diagnostics, and sort these by place.

    An unquoted secret can end early: the rest of ``{ClientSecret: s3cr,et}`` is a key. So nothing after it on its line
    is quoted, nor are unknown keys and their values below it. Hints name known fields only.

    Args:
        found: all diagnostics.
        secret_fields: the names of secret fields.
        empty: the places of secret fields without a value; the rest of ``{ClientSecret: ,s3cret}`` is a key.
    """
    starts = {place.file: place for place in sorted(empty, reverse=True)}
    keys: dict[str, str] = {}
    quiet = []
    for each in sorted(found):
        file, is_secret = each.place.file, _has_secret(each, secret_fields)
        start = starts.get(file)
        is_after = start is not None and each.place > start and not is_secret
        if is_after and each.rule in _OF_A_KEY:
            keys[file] = each.pointer
        is_held = file in keys and f"{each.pointer}/".startswith(f"{keys[file]}/")
        is_adjacent = start is not None and each.place.line == start.line and each.rule != "required"
        quiet.append(_unquoted(each) if is_after and (is_held or is_adjacent) else each)
        if is_secret:
            starts[file] = each.place
    return quiet


def _has_secret(found: Diagnostic, secret_fields: frozenset[str]) -> bool:
    """Whether there may be a literal secret: in its field, in a field with a similar name, or in a key."""
    if found.rule == "unknown-field":
        return found.hint in {*UNSEPARATED_HINTS.values(), *map(meant, secret_fields)}
    return not secret_fields.isdisjoint(pointer_parts(found.pointer)[-1:])


def _unquoted(found: Diagnostic) -> Diagnostic:
    message = _OF_A_KEY.get(found.rule, "this value has a finding")
    hint = found.hint if found.rule == "unknown-field" and found.hint else _TAIL
    return replace(found, message=message, pointer="", hint=hint)


@dataclass(slots=True)
class SecretReader:
    """Reads the secrets of one manifest. References are checked, but not followed."""

    kind: Kind
    file: str
    """The path of the manifest, which paths in it are relative to."""
    context: LoadContext
    faults: list[Fault]
    """The list to which faults are added."""

    def take(self, spec: Body) -> tuple[Body, Mapping[str, SecretReference | None]]:
        """Separate the secret fields from the others; fields with faults are in neither part."""
        rows = self.kind.secret_rows
        values = {path: value for path in rows if not isinstance(value := get_at(spec, path.split("/")), Absent)}
        secrets: dict[str, SecretReference | None] = {}
        for path, value in values.items():
            reference = self._reference(value, path)
            if isinstance(reference, list):
                self.faults += reference
            else:
                secrets[path] = reference
        return secrecy.without(spec, values), secrets

    def named(self, block: Any) -> tuple[NamedSecret, ...] | None:  # noqa: ANN401  # JSON of a known schema
        """Read the block of named secrets; None if any part of it has a fault."""
        known, found = len(self.faults), []
        self.faults += [*_over_limit(block, self.kind), *_repeated(block)]
        for index, entry in enumerate(block):
            at = _AT + pointer(index)
            self.faults += _entry_faults(entry, at)
            deliveries = self._deliveries(entry.get("deliver", ()), f"{at}/deliver")
            if isinstance(deliveries, list):
                self.faults += deliveries
            elif len(self.faults) == known:
                found.append(replace(secret_of({**entry, "deliver": ()}), deliver=deliveries))
        return tuple(found) if len(self.faults) == known else None

    def _reference(self, value: Json, path: str) -> SecretReference | list[Fault] | None:
        """The reference of a field, None if it is cleared, or its fault."""
        at = f"/spec/{path}"
        if value is None:
            return None
        if value == REDACTION:
            return [redaction_fault(at)]
        reference = secret_reference(value, self.kind.secret_rows[path].name, at)
        if isinstance(reference, Fault):
            return [reference]
        match reference.source:
            case SecretSource.ENVIRONMENT:
                return [*_environment_faults(reference, at, self.context)] or reference
            case SecretSource.FILE:
                return self._from_file(reference.name, f"{at}/fromFile")
            case SecretSource.GENERATED:
                return self._generated(value, path, at)

    def _from_file(self, path: str, at: str) -> SecretReference | list[Fault]:
        """Make the path relative to the root, so that manifests have the same meaning in every checkout."""
        allowed_paths = self.context.allowed_paths
        kept = allowed_paths.kept(path, self.file)
        if objection := allowed_paths.objection(kept):
            message = f"fromFile requires the path of a file, relative to the manifest; this one {objection}"
            return [Fault(at, message, "secret", hint_for(objection))]
        if allowed_paths.is_named(kept, self.context.own_credentials):
            return [_own_credentials_fault(at, kept)]
        self.faults += _permission_faults(allowed_paths.at(kept), kept, at)
        return SecretReference(SecretSource.FILE, kept)

    def _generated(self, value: Json, path: str, at: str) -> SecretReference | list[Fault]:
        """A generated secret must be delivered, because it is not shown."""
        name = self.kind.secret_rows[path].name
        if path not in self.kind.generated_fields:
            message = f"{name} of {self.kind.name} cannot be generated"
            hint = f"write {name}: {{fromEnv: NAME}} or {name}: {{fromFile: PATH}}"
            return [Fault(at, message, "secret", hint)]
        entries: Any = value.get("deliver") if isinstance(value, Mapping) else None
        if not entries:
            message = "a generated secret without a delivery would be lost"
            return [Fault(at, message, "secret", "write {generate: true, deliver: [{file: PATH}]}")]
        substitution = Substitution(self.context)
        part: Any = substitution.apply({"deliver": entries})
        if found := substitution.faults or part_validator(self.kind.schema, "deliver").faults(part):
            return [fault.moved("", at) for fault in found]
        deliveries = self._deliveries(part["deliver"], f"{at}/deliver")
        if isinstance(deliveries, list):
            return deliveries
        return SecretReference(SecretSource.GENERATED, deliver=deliveries)

    def _deliveries(self, entries: Sequence[Any], at: str) -> tuple[Delivery, ...] | list[Fault]:
        """Read a list of deliveries, or return its faults."""
        paths, faults = self.context.allowed_paths, list[Fault]()
        for index, entry in enumerate(entries):
            faults += _delivery_faults(entry, f"{at}/{index}", self.file, paths)
        return faults or tuple(delivery_of(entry, lambda path: paths.kept(path, self.file)) for entry in entries)


def empty_secrets(document: Document, kind: Kind) -> Iterator[Place]:
    """The places of secret fields without a value in a manifest."""
    found = {f"/spec/{path}": get_at(document.data, ["spec", *path.split("/")]) for path in kind.secret_rows}
    yield from (document.place(at) for at, value in found.items() if value is None)


def redaction_fault(at: str) -> Fault:
    """The fault of a value that is an export's placeholder for a secret."""
    message = "this is the placeholder that an export writes for a secret; sending it would overwrite the real one"
    return Fault(at, message, "redacted", "remove the field to keep its live value")


def redactions(manifest: Body) -> Iterator[Fault]:
    """Find the placeholder of exports in ordinary fields."""
    yield from (redaction_fault(pointer(*at)) for at, text in texts(manifest).items() if REDACTION in text)


def _environment_faults(reference: SecretReference, at: str, context: LoadContext) -> Iterator[Fault]:
    name, environment = reference.name, context.environment
    if reference in context.own_credentials:
        yield _own_credentials_fault(f"{at}/fromEnv", name)
    elif name not in context.allowed_secrets:
        if environment is None:
            message, hint = f"no environment allows the secret {name}", "select one with --env"
        else:
            message = f"environment {environment} does not allow the secret {name}"
            hint = f"add {name} to environments.{environment}.secrets.allow in reconciler.yaml"
        yield Fault(f"{at}/fromEnv", message, "secret", hint)


def _own_credentials_fault(at: str, name: str) -> Fault:
    message = f"{name} contains the reconciler's own credentials, which manifests must not use"
    return Fault(at, message, "secret", "use a separate secret for the client")


def _permission_faults(target: Path, kept: str, at: str) -> Iterator[Fault]:
    """Warn of a file that other users can read. Whether it exists is checked when it is used."""
    if os.name == "nt":  # its modes do not show who can read
        return
    with suppress(OSError):
        mode = target.stat().st_mode
        if stat.S_ISREG(mode) and mode & (stat.S_IRGRP | stat.S_IROTH):
            message = f"the secret file {kept} can be read by users other than its owner"
            yield Fault(at, message, "readable-secret", f"run chmod 600 {kept}", severity=Severity.WARNING)


_KINDS: Final = ("file", "command", "envFile", "githubOutput", "kubernetesSecret")
_BELONGS_TO: Final = {"timeout": "command", "variable": "envFile"}


def _delivery_faults(entry: Mapping[str, Any], at: str, file: str, allowed_paths: AllowedPaths) -> Iterator[Fault]:
    kinds = [kind for kind in _KINDS if kind in entry]
    if len(kinds) != 1:
        message = f"a delivery requires exactly one of {listed(_KINDS, 'or')}"
        yield Fault(at, message + (f", but this one has {' and '.join(kinds)}" if kinds else ""), "delivery")
        return
    for name, owner in _BELONGS_TO.items():
        if name in entry and owner not in kinds:
            yield Fault(at + pointer(name), f"{name} is only valid with {owner}", "delivery", at_key=True)
    if kinds == ["envFile"] and "variable" not in entry:
        yield Fault(at, "variable is missing: the name that the secret has in the file", "required", at_key=True)
    for below, path in _paths(entry):
        kept = allowed_paths.kept(path, file)
        if objection := allowed_paths.objection(kept, to_write=True):
            message = f"{below[-1]} requires the path of a file, relative to the manifest; this one {objection}"
            yield Fault(at + pointer(*below), message, "delivery", hint_for(objection))


def _paths(entry: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], str]]:
    for name in ("file", "envFile"):
        if name in entry:
            yield (name,), entry[name]
    if "kubernetesSecret" in entry:
        yield ("kubernetesSecret", "file"), entry["kubernetesSecret"]["file"]


def moved_paths(value: Json, of: str, to: str) -> Json:
    """Convert the paths of references and deliveries in a value from being relative to one file to another."""
    if is_array(value):
        return [moved_paths(member, of, to) for member in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _moved(child, of, to) if key in {"file", "envFile", "fromFile"} else moved_paths(child, of, to)
        for key, child in value.items()
    }


def _moved(path: Json, of: str, to: str) -> Json:
    if not isinstance(path, str) or not path or Path(path).is_absolute():
        return path
    return os.path.relpath(Path(of).parent / path, Path(to).parent)


_AT: Final = "/secrets"


def _over_limit(block: Sequence[Json], kind: Kind) -> Iterator[Fault]:
    """Report more secrets than the limit allows, which must leave room for a rotation."""
    if kind.named_secrets and len(block) >= kind.named_secrets.limit:
        limit = kind.named_secrets.limit
        message = f"{len(block)} secrets: OrderCloud allows at most {limit}, and a rotation requires one more"
        yield Fault(_AT, message, "too-many-secrets", f"list at most {limit - 1}")


def _repeated(block: Sequence[Mapping[str, Any]]) -> Iterator[Fault]:
    seen: set[str] = set()
    for index, entry in enumerate(block):
        name = entry["name"].casefold()
        if name in seen:
            yield Fault(_AT + pointer(index, "name"), f"two secrets are named {entry['name']}", "repeated")
        seen.add(name)


def _entry_faults(entry: Mapping[str, Any], at: str) -> Iterator[Fault]:
    name = entry["name"]
    if ending := LiveSecret("", name).ending:
        message = f"a name must not end in {ending}, which marks a secret during its rotation"
        yield Fault(f"{at}/name", message, "name")
    if "expires" in entry and "maxAge" in entry:
        message = "expires and maxAge cannot be combined"
        yield Fault(f"{at}/maxAge", message, "contradiction", "keep one of them", at_key=True)
    if "expires" in entry and not _is_moment(entry["expires"]):
        message = (
            "expires is neither a date, such as 2027-01-31, nor a date and time in UTC, such as 2027-01-31T12:00:00Z"
        )
        yield Fault(f"{at}/expires", message, "format")
    elif "maxAge" in entry:
        secret = secret_of({**entry, "deliver": ()})
        if secret.max_age is not None and secret.overlap >= secret.max_age:
            message = "overlap is not shorter than maxAge, so the secret would be due for rotation at its creation"
            yield Fault(f"{at}/maxAge", message, "contradiction", "make overlap shorter than maxAge")


def _is_moment(text: str) -> bool:
    try:
        moment_of(text)
    except (ValueError, OverflowError):
        return False
    return True
