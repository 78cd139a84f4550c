"""What the program ``gh`` answers, from the folder of a `hub.Hub`. Filters are real jq; `gh.py` is the program."""

import json
import os
import shutil
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import jq  # type: ignore[import-not-found]  # compiled, without types

VARIABLES = ("BRANCH", "TIP", "MARKER")
"""What filters read of the environment of the program."""


@contextmanager
def serving(path: str) -> Iterator[None]:
    """Answer whoever runs the program."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        threading.Thread(target=_serve, args=(listener,), daemon=True).start()
        yield


def _serve(listener: socket.socket) -> None:
    while True:
        try:
            caller, _ = listener.accept()
        except OSError:
            return
        with caller:
            order = json.load(caller.makefile(encoding="utf-8"))
            caller.sendall(json.dumps(_answered(order)).encode())


def _answered(order: Mapping[str, Any]) -> Mapping[str, Any]:
    environment = order["environment"]
    os.environ.update({name: environment[name] for name in VARIABLES if name in environment})
    try:
        lines = _Answer(environment, Path(order["folder"])).to(order["words"])
        return {"code": 0, "out": "".join(f"{line}\n" for line in lines), "err": ""}
    except _RefusedError as error:
        return {"code": 1, "out": "", "err": f"gh: {error}\n"}


class _RefusedError(Exception):
    pass


class _Answer:
    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._hub, self._folder = Path(environment["HUB"]), folder
        self._permissions = set(environment["GH_TOKEN"].split())
        self._state = json.loads((self._hub / "state.json").read_text(encoding="utf-8"))

    def to(self, words: list[str]) -> list[str]:
        options = _options(words)
        match options["words"]:
            case ["api", path]:
                return self._api(path, options)
            case ["run", "list"]:
                found = [run for run in reversed(self._state["runs"]) if _is_wanted(run, options)]
                return _filtered([{"databaseId": run["id"]} for run in found[: int(options["limit"])]], options)
            case ["run", "download", run]:
                return self._download(run, options)
            case unknown:
                raise AssertionError(unknown)

    def _needs(self, *permissions: str) -> None:
        """Refuse as GitHub does where the token of the job has none of these permissions."""
        if not self._permissions & set(permissions):
            raise _RefusedError(f"Resource not accessible by integration (HTTP 403): {permissions}")

    def _api(self, path: str, options: Mapping[str, Any]) -> list[str]:
        parts = urlsplit(path)
        match parts.path.split("/")[3:]:
            case ["actions", "artifacts"]:
                self._needs("actions:read")
                name = parse_qs(parts.query)["name"][0]
                runs = [run for run in self._state["runs"] if self._artifact(run["id"], name).is_dir()]
                found = [
                    {
                        "expired": False,
                        "created_at": self._artifact(run["id"], name).stat().st_ctime_ns,
                        "workflow_run": {**run, "repository_id": 1},
                    }
                    for run in runs
                ]
                return _filtered({"artifacts": found}, options)
            case ["actions", "runs", run]:
                self._needs("actions:read")
                return _filtered(next(one for one in self._state["runs"] if str(one["id"]) == run), options)
            case ["commits", _, "pulls"]:
                self._needs("pull-requests:read", "pull-requests:write")
                return _filtered(self._state["pulls"], options)
            case ["issues", *where] if "method" in options:
                self._needs("pull-requests:write")
                return self._comment(where[-1], options)
            case ["issues", _, "comments"]:
                self._needs("pull-requests:read", "pull-requests:write")
                return _filtered(self._state["comments"], options)
            case ["environments", name]:
                self._needs("actions:read")
                return _filtered({"protection_rules": self._state["rules"].get(unquote(name), [])}, options)
            case unknown:
                raise AssertionError(unknown)

    def _artifact(self, run: object, name: str) -> Path:
        return self._hub / "artifacts" / str(run) / name

    def _comment(self, where: str, options: Mapping[str, Any]) -> list[str]:
        body = (self._folder / options["field"].removeprefix("body=@")).read_text(encoding="utf-8")
        comments = self._state["comments"]
        if options["method"] == "POST":
            comments.append({"id": len(comments) + 1, "user": {"type": "Bot"}, "body": body})
        else:
            next(one for one in comments if str(one["id"]) == where)["body"] = body
        (self._hub / "state.json").write_text(json.dumps(self._state), encoding="utf-8")
        return []

    def _download(self, run: str, options: Mapping[str, Any]) -> list[str]:
        source = self._artifact(run, options["name"])
        if not source.is_dir():
            raise _RefusedError("no artifact matches any of the names or patterns provided")
        shutil.copytree(source, self._folder / options["dir"], dirs_exist_ok=True)
        return []


def _options(words: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"words": []}
    rest = list(words)
    while rest:
        word = rest.pop(0)
        if word in {"--paginate", "--silent"}:
            continue
        if word.startswith("--"):
            found[word[2:]] = rest.pop(0)
        else:
            found["words"].append(word)
    return found


def _is_wanted(run: Mapping[str, Any], options: Mapping[str, Any]) -> bool:
    wanted = ("head_sha", "commit"), ("event", "event"), ("workflow", "workflow")
    return all(run[member] == options[option] for member, option in wanted)


def _filtered(answer: Any, options: Mapping[str, Any]) -> list[str]:
    found = jq.compile(options["jq"]).input_value(answer)
    return [line if isinstance(line, str) else json.dumps(line) for line in found]
