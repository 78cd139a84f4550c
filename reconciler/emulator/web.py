"""An API generation -> its routes -> a falcon application: routing, authentication and HTTP.

Fixed path segments are case-insensitive, as in OrderCloud; variable ones keep their case. A GET of one object with an
empty ID is a GET of the list, as in the service.
"""

import functools
import logging
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

import falcon
from falcon.routing import CompiledRouter

from reconciler.emulator import Profile
from reconciler.emulator.calls import JSON, UNAUTHENTICATED, Answer, Backend, Call, Handler, Route, authorise, dumps
from reconciler.emulator.errors import ApiError, FaultSpecError, ServiceError, not_found_at
from reconciler.emulator.marketplace import PARTIES, User
from reconciler.emulator.rows import kinds_of, rows_of, tables_of
from reconciler.emulator.seed import restore_staging
from reconciler.emulator.tokens import token

PREFIX = "/_emulator"
# The version that each profile reports.
API_VERSIONS: dict[Profile, str] = {"current": "1.0.470", "legacy": "1.0.260"}


def all_routes(profile: Profile, *, revisions: bool = False) -> Iterator[Route]:
    """All routes, including the control endpoints."""
    yield Route("POST", "/oauth/token", token, public=True)
    yield Route("GET", "/oauth/certs/{id}", _certificate, public=True)
    yield Route("GET", "/v1/openapi/v3", lambda _call: Answer(200, _about(profile)), public=True)
    yield Route("GET", "/v1/me", _me)
    for table in tables_of(profile).values():
        yield from table.routes()
    for row in rows_of(profile, revisions=revisions):
        yield from row.routes()
    users = kinds_of(profile)["User"]
    buyer_users = replace(users, path="/v1/buyerusers", parent=None)
    yield Route("GET", buyer_users.path, buyer_users.list_page, users.read_roles)
    yield from _control_routes()


def _certificate(call: Call) -> Answer:
    return Answer(200, call.backend.issuer.certificate(call.params["id"]))


def _about(profile: Profile) -> dict[str, Any]:
    info = {"title": "OrderCloud (emulated in part)", "version": API_VERSIONS[profile]}
    return {"openapi": "3.0.0", "info": info, "paths": {}}


def _me(call: Call) -> Answer:
    user = call.market.user_named(call.caller.username)
    if user is None:
        raise ApiError(ServiceError("InvalidToken"))
    body = call.market.rows[user.party.kind].view(call.market, user.body)
    body.pop("FailedLoginAttempts", None)  # .NET SDK: User has it, MeUser does not
    return Answer(200, body | {"Seller": {"ID": call.market.settings.marketplace}} | _companies(call, user))


def _companies(call: Call, user: User) -> dict[str, Any]:
    """The fields `Buyer` and `Supplier` of the .NET SDK's MeUser: the caller's company, and null for the other."""
    mine: dict[str, Any] = {party.company: None for party in PARTIES.values() if party.company}
    if user.party.company and user.company:
        company = call.market.find(user.party.company, user.company) or {}
        mine[user.party.company] = {"ID": user.company, "DefaultCatalogID": company.get("DefaultCatalogID")}
    return mine


def _control_routes() -> Iterator[Route]:
    """The control endpoints: restore, journal, faults, revocation. They require no token."""
    commands: tuple[tuple[str, str, Callable[[Call], Any]], ...] = (
        ("POST", "/staging-restore", lambda call: restore_staging(call.market, call.query)),
        ("POST", "/revoke-tokens", lambda call: call.backend.issuer.revoke_all()),
        ("GET", "/requests", lambda call: {"requests": [asdict(entry) for entry in call.backend.journal]}),
        ("DELETE", "/requests", lambda call: call.backend.journal.clear()),
        ("GET", "/faults", lambda call: {"faults": call.backend.faults.specs()}),
        ("POST", "/faults", _add_fault),
        ("DELETE", "/faults", lambda call: call.backend.faults.clear()),
    )
    yield from (
        Route(method, PREFIX + path, _control_handler(command), public=True) for method, path, command in commands
    )


def _control_handler(command: Callable[[Call], Any]) -> Handler:
    """The handler of a command: returns its result as the body, or 204 if it is None."""

    def handler(call: Call) -> Answer:
        body = command(call)
        return Answer(204 if body is None else 200, body)

    return handler


def _add_fault(call: Call) -> None:
    spec = call.body().get("spec")
    if not isinstance(spec, str):
        raise ApiError(ServiceError("RequiredField", "spec is required and must be a string."))
    try:
        call.backend.faults.add(spec)
    except FaultSpecError as error:
        raise ApiError(ServiceError("ValidationFailure", str(error))) from error


_LOG = logging.getLogger("reconciler.emulator")

BACKEND = "reconciler.emulator.backend"  # the key in the WSGI environ of the emulator that a request is for


class CaseInsensitiveRouter(CompiledRouter):
    """A falcon router with case-insensitive fixed segments, and variable names that can differ between routes."""

    def __init__(self) -> None:
        super().__init__()
        self._variables: dict[str, list[tuple[int, str]]] = {}

    def add_route(self, uri_template: str, resource: object, **kwargs: Any) -> None:  # noqa: ANN401 - falcon's signature
        """Register a path with variable names that depend only on their position, as falcon requires."""
        segments = uri_template.split("/")
        variables = [(index, part[1:-1]) for index, part in enumerate(segments) if part.startswith("{")]
        for index, _ in variables:
            segments[index] = f"{{v{index}}}"
        template = "/".join(segments).lower()
        self._variables[template] = variables
        super().add_route(template, resource, **kwargs)

    def find(self, uri: str, req: Any = None) -> Any:  # noqa: ANN401 - falcon's signature
        """Find the route of a path, ignoring case; the variables keep their case."""
        found = super().find(uri.lower(), req)
        if found is None:
            return None
        resource, method_map, _, template = found
        segments = uri.split("/")
        params = {name: segments[index] for index, name in self._variables[str(template)]}
        return resource, method_map, params, template


@dataclass(frozen=True, slots=True)
class Responder:
    """The falcon responder of a route."""

    route: Route

    def __call__(self, req: falcon.Request, resp: falcon.Response, **params: str) -> None:
        """Authenticate and authorise the caller, run the handler, and write its response."""
        backend: Backend = req.env[BACKEND]
        token = bearer(req.get_header("Authorization"))
        caller = UNAUTHENTICATED if self.route.public else backend.issuer.caller(token)
        authorise(self.route, caller)
        query = tuple(parse_qsl(req.query_string, keep_blank_values=True))
        raw = req.bounded_stream.read()
        _write(self.route.handler(Call(backend, params, query, raw, req.content_type or "", caller)), req, resp)


def bearer(header: str | None) -> str:
    """The token in an Authorization header; empty if there is none."""
    scheme, _, token = (header or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


@functools.cache
def application(profile: Profile, *, revisions: bool) -> "falcon.App[falcon.Request, falcon.Response]":
    """The application that all emulators of one generation share; each sets its backend as `environ[BACKEND]`."""
    app = falcon.App(media_type=JSON, router=CaseInsensitiveRouter())
    app.req_options.strip_url_path_trailing_slash = True
    app.add_error_handler(Exception, _on_crash)
    app.add_error_handler(falcon.HTTPError, _on_http_error)
    app.add_error_handler(ApiError, _on_api_error)
    paths: dict[str, SimpleNamespace] = {}  # falcon resources, with `on_get` etc. for each method
    for route in all_routes(profile, revisions=revisions):
        responders = vars(paths.setdefault(route.path, SimpleNamespace()))
        responders[f"on_{route.method.lower()}"] = Responder(route)
        if route.method == "GET":
            responders["on_head"] = Responder(route)  # falcon omits the body
    for path, resource in paths.items():
        app.add_route(path, resource)
    return app


def _write(answer: Answer, req: falcon.Request, resp: falcon.Response) -> None:
    resp.status = answer.status
    resp.set_headers([("Cache-Control", "private"), ("X-oc-logid", str(uuid.uuid4()))])
    if answer.body is not None:
        resp.data = dumps(answer.body)
        resp.content_type = JSON
    if answer.location is not None:
        resp.set_header("Location", req.prefix + answer.location)


def _on_api_error(req: falcon.Request, resp: falcon.Response, error: ApiError, _params: object) -> None:
    _write(Answer(error.status, error.body()), req, resp)


def _on_http_error(req: falcon.Request, resp: falcon.Response, error: falcon.HTTPError, _params: object) -> None:
    status = error.status_code if req.method in falcon.HTTP_METHODS else HTTPStatus.METHOD_NOT_ALLOWED
    entry = ServiceError("MethodNotAllowed" if status == HTTPStatus.METHOD_NOT_ALLOWED else "ServerError")
    if status == HTTPStatus.NOT_FOUND:
        entry = not_found_at(req.path)
    _write(Answer(status, ApiError(entry).body()), req, resp)
    resp.set_headers(error.headers or {})


def _on_crash(req: falcon.Request, resp: falcon.Response, error: Exception, _params: object) -> None:
    _LOG.error("%s %s failed", req.method, req.path, exc_info=error)
    _write(Answer(500, ApiError(ServiceError("ServerError")).body()), req, resp)
