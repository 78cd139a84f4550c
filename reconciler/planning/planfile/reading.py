"""The text of a saved plan -> the plan, if the text is unaltered."""

import hmac
import json
from collections.abc import Mapping
from pathlib import Path
from sys import intern
from typing import Any, Final, cast

from reconciler.errors import PlanRefused
from reconciler.kinds import KINDS
from reconciler.manifests.schema import validator
from reconciler.model.diagnostic import Place
from reconciler.model.inputs import Selection
from reconciler.model.json import ABSENT, digest_of_members
from reconciler.model.named_secret import secret_of
from reconciler.model.plan import (
    Action,
    AssignmentChange,
    Binding,
    Change,
    Direction,
    FieldChange,
    Finding,
    Notice,
    Plan,
    SecretIntent,
)
from reconciler.model.resource import Address, ObjectKey
from reconciler.model.secret import reference_of
from reconciler.planning import seal as sealed
from reconciler.planning.planfile import FORMAT_VERSION, NOUN, changes_digest, pieces_of

SCHEMA: Final = "plan.v2.schema.json"
_NO_PLAN_HINT: Final = "give a file written by plan --out"
_NOT_DIGESTED: Final = frozenset({"digest", "signature"})


def read(path: Path, key: bytes | None = None) -> Plan:
    """Read a saved plan to apply it.

    Args:
        path: the file.
        key: the key it must be signed with; None: it must not be signed, since the signature could not be checked.

    Raises:
        PlanRefused: as in `content` and `loads`; it is signed and there is no key; or it was made from a snapshot.
    """
    document = _document(content(path), str(path), key)
    plan = _checked(document, str(path))
    if plan.snapshot is not None:
        message = f"{path} was made from a snapshot taken at {plan.snapshot}, not from the service"
        raise PlanRefused("snapshot", message, hint="plan again with credentials, and apply that plan")
    if key is None and "signature" in document:
        message = f"{path} is signed, but no key is set to check its signature"
        raise PlanRefused("no-key", message, hint="set RECONCILER_PLAN_KEY to the key that plan used")
    return plan


def content(path: Path) -> str:
    """The text of a file, unchanged.

    Raises:
        PlanRefused: it cannot be read.
    """
    try:
        return path.read_bytes().decode()  # not read_text, which converts line ends
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise PlanRefused("unreadable", f"{path} cannot be read: {reason}", hint=_NO_PLAN_HINT) from error


def loads(text: str, name: str, key: bytes | None = None) -> Plan:
    """Read the text of a saved plan; `name` is its name in messages.

    Raises:
        PlanRefused: it is not a plan, is of a newer format, was altered since it was written, or there is a key and it
            is not signed with it.
    """
    return _checked(_document(text, name, key), name)


def _document(text: str, name: str, key: bytes | None) -> Mapping[str, Any]:
    """The document of a saved plan, which matches the schema and is as it was written."""
    try:
        document = json.loads(text, parse_constant=_no_constant, object_hook=_shared)
    except (ValueError, RecursionError) as error:
        raise PlanRefused("no-plan", f"{name} is not a plan: {error}", hint=_NO_PLAN_HINT) from error
    _check_format(document, name)
    if sealed.has_half_characters(document, text):
        raise _altered(name, "it contains an unpaired surrogate")
    _check_seal(document, text, name)
    if key:
        _check_signature(document, name, key)
    return cast("Mapping[str, Any]", document)


def _checked(document: Mapping[str, Any], name: str) -> Plan:
    try:
        plan = plan_of(document)
    except ValueError as error:  # an incomplete delivery, an invalid date
        raise _altered(name, str(error)) from error
    if changes_digest(plan) != document["changes_digest"]:
        raise _altered(name, "its changes_digest does not match its changes and findings")
    return plan


def plan_of(document: Mapping[str, Any]) -> Plan:
    """The plan of a document that matches the schema."""
    return Plan(
        changes=tuple(_read_change(change) for change in document["resource_changes"]),
        binding=Binding(**{name: document["binding"][name] for name in Binding.__slots__}),
        guards=tuple(_read_finding(finding) for finding in document["guards"]),
        warnings=tuple(document["warnings"]),
        selection=Selection(
            tuple(document["selection"]["only"]),
            document["selection"]["selector"],
            tuple(document["selection"].get("paths", ())),
            tuple(document["selection"].get("write_secrets", ())),
        ),
        notices=tuple(_read_notice(notice) for notice in document.get("notices", ())),
        snapshot=document.get("snapshot"),
        out_of_scope=document["summary"].get("out_of_scope", 0),
        login=ObjectKey(**document["login"]) if document.get("login") else None,
        created_at=document["created_at"],
    )


def _shared(members: dict[str, Any]) -> dict[str, Any]:
    """The same object, sharing values that both sides have and equal texts, such as roles, to save memory."""
    for name, value in members.items():
        if isinstance(value, str):
            members[name] = intern(value)
        elif isinstance(value, list):
            members[name] = [intern(one) if isinstance(one, str) else one for one in value]
    before, after = members.get("before"), members.get("after")
    if isinstance(before, dict) and isinstance(after, dict):
        for name in before.keys() & after.keys():
            if repr(before[name]) == repr(after[name]):  # 1, 1.0 and true differ
                after[name] = before[name]
    return members


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _check_format(document: Any, name: str) -> None:  # noqa: ANN401  # any JSON
    version = document.get("format_version") if isinstance(document, Mapping) else None
    if not isinstance(version, str) or "resource_changes" not in document:
        raise PlanRefused("no-plan", f"{name} is not a plan", hint=_NO_PLAN_HINT)
    if sealed.other_format(document, FORMAT_VERSION):
        raise PlanRefused(
            "format",
            f"{name} has plan format {version}, but this version reads format {FORMAT_VERSION}",
            hint="run plan again with this version",
        )
    if "digest" not in document:
        raise PlanRefused("no-digest", f"{name} has no digest, so changes cannot be detected")
    faults = validator(SCHEMA).faults(document)
    if faults:
        raise _altered(name, f"{faults[0].message} (at {faults[0].pointer or '/'})")


def _check_seal(document: Mapping[str, Any], text: str, name: str) -> None:
    """Compare the digest with the content, and the bytes with the canonical text of the document."""
    try:
        seal = digest_of_members({name: value for name, value in document.items() if name not in _NOT_DIGESTED})
        is_as_written = _is_text_of(document, text)
    except ValueError as error:  # a number that JSON cannot represent
        raise _altered(name, str(error)) from error
    if not hmac.compare_digest(document["digest"], seal):
        raise _altered(name, "its digest does not match its content")
    if not is_as_written:
        raise _altered(name, "its content was reformatted, as by an editor or a formatter")


def _is_text_of(document: Mapping[str, Any], text: str) -> bool:
    at = 0
    for piece in pieces_of(document):
        if not text.startswith(piece, at):
            return False
        at += len(piece)
    return at == len(text)


def _altered(name: str, how: str) -> PlanRefused:
    return PlanRefused("altered", f"{name} was altered since it was written: {how}")


def _check_signature(document: Mapping[str, Any], name: str, key: bytes) -> None:
    if "signature" not in document:
        message = f"{name} is not signed, but RECONCILER_PLAN_KEY is set, so every plan must be signed with it"
        raise PlanRefused("no-signature", message)
    if not hmac.compare_digest(document["signature"], sealed.signature(NOUN, document["digest"], key)):
        raise PlanRefused("signature", f"{name} is signed with a key other than RECONCILER_PLAN_KEY")


def _read_change(document: Mapping[str, Any]) -> Change:
    change, place = document["change"], document["place"]
    address = Address(document["kind"], document["name"])
    if address.kind not in KINDS or str(address) != document["address"]:
        raise ValueError(f"kind and name of {document['address']} differ from its address, or the kind is unknown")
    steps = tuple(AssignmentChange(**step) for step in document["assignments"])
    assignments = KINDS[address.kind].assignments
    if not all(assignments and assignments.has(step.party, step.id) for step in steps):
        raise ValueError(f"{address} has an assignment that is not valid for {address.kind}")
    return Change(
        address,
        Action(change["actions"][0]),
        document["id"],
        change["before"],
        change["after"],
        fields=tuple(_read_field(field) for field in document["fields"]),
        secrets=tuple(_read_secret(intent) for intent in document["secrets"]),
        assignments=steps,
        place=Place(**place) if place else None,
        protected=document["protected"],
        new_secrets=tuple(secret_of(entry) for entry in document.get("new_secrets", ())),
        wave=document["wave"],
        depends_on=tuple(Address(*text.split("/", 1)) for text in document["depends_on"]),
        is_patch=document.get("method") == "PATCH",
    )


def _read_notice(document: Mapping[str, Any]) -> Notice:
    fields = tuple(_read_field(field) for field in document["fields"])
    return Notice(Address(*document["address"].split("/", 1)), fields, document["message"], document["watched"])


def _read_field(document: Mapping[str, Any]) -> FieldChange:
    return FieldChange(
        document["pointer"],
        document.get("before", ABSENT),
        document.get("after", ABSENT),
        Direction(document["direction"]),
        document["sensitive"],
        tuple(document.get("added", ())),
        tuple(document.get("removed", ())),
        Place(**document["place"]) if "place" in document else None,
    )


def _read_secret(document: Mapping[str, Any]) -> SecretIntent:
    return SecretIntent(document["field"], reference_of(document["reference"]), document["fingerprint"])


def _read_finding(document: Mapping[str, Any]) -> Finding:
    addresses = tuple(Address(*text.split("/", 1)) for text in document["addresses"])
    return Finding(document["rule"], document["message"], document["fix"], addresses, document["can_be_acknowledged"])
