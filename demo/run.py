"""The working set of this repository -> the daily work with it, from first plan to corrected drift, as a user sees it.

Runs the real commands in a temporary copy of `reconciler.yaml`, `marketplace.yaml` and `manifests/`, against the
emulator that is embedded in it: no server, no network, nothing left behind. Ends with an error as soon as a command
does not end as it should.
"""

import os
import shutil
import sys
import tempfile
import textwrap
from contextlib import chdir
from pathlib import Path

import httpx

from reconciler.cli.main import main as reconciler
from reconciler.emulator import ADMIN_CLIENT_ID, ADMIN_CLIENT_SECRET, Emulator, Settings

ROOT = Path(__file__).resolve().parents[1]
STATE = Path(".reconciler/emulator.db")
BOLD, DIM, PLAIN = (
    ("\033[1m", "\033[2m", "\033[0m") if sys.stdout.isatty() and "NO_COLOR" not in os.environ else ("",) * 3
)


def main() -> None:
    """Play the story in a temporary copy."""
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder:
        for name in ("reconciler.yaml", "marketplace.yaml", "manifests", "schemas"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        play(Path(folder))


def play(folder: Path) -> None:
    """Run the story in this folder."""
    say("A team keeps the API clients of its shop in git: three manifests. Are they well-formed? (offline)")
    run(folder, "validate")
    say("What would change in the marketplace? It has two of the three clients, made by hand. Nothing is written yet.")
    run(folder, "plan")
    say(
        "Carry it out. In a terminal, apply asks first; in CI, --auto-approve answers, and --quiet does not show the "
        "plan once more."
    )
    run(folder, "apply", "--auto-approve", "--quiet")
    say("Is everything in step now?")
    run(folder, "plan", "--detailed-exitcode")
    say("At night, a user in the portal allows every seller in the storefront, and removes its checkout.")
    edit_in_the_portal(
        folder, "Storefront", AllowSeller=True, OrderCheckoutIntegrationEventID=None, MaximumGrantedRoles=[]
    )
    say("The nightly drift job notices, and its exit code 2 raises the alarm:")
    run(folder, "drift", exits=2)
    say(
        "Note that AllowSeller is not among it: no manifest names that field, so it is not managed. To own every field,"
    )
    print("a manifest says `policy: {fields: exclusive}`. Correct what is managed:")
    run(folder, "apply", "--auto-approve")
    say("And all is in step again:")
    run(folder, "drift")
    say("That was all. To play with it here:  .venv/bin/reconciler plan")


def say(text: str) -> None:
    """Print a paragraph of the story."""
    print(f"\n{BOLD}{textwrap.fill(text, 110)}{PLAIN}", flush=True)


def run(folder: Path, *arguments: str, exits: int = 0) -> None:
    """Run one command as a user would, and show it with its output."""
    print(f"\n{DIM}${PLAIN} reconciler {' '.join(arguments)}", flush=True)
    with chdir(folder):
        code = reconciler(arguments)
    sys.stdout.flush()
    if code != exits:
        sys.exit(f"demo: the command ended with exit code {code} instead of {exits}")
    if code:
        print(f"{DIM}(exit code {code}){PLAIN}")


def edit_in_the_portal(folder: Path, app_name: str, **fields: object) -> None:
    """Change an API client without the reconciler: open the emulator's data and speak OrderCloud's API to it."""
    emulator = Emulator(Settings(state=folder / STATE))
    try:
        with httpx.Client(transport=httpx.WSGITransport(app=emulator), base_url="http://127.0.0.1") as http:
            login = {
                "grant_type": "client_credentials",
                "client_id": ADMIN_CLIENT_ID,
                "client_secret": ADMIN_CLIENT_SECRET,
            }
            token = http.post("/oauth/token", data=login).json()["access_token"]
            http.headers["Authorization"] = f"Bearer {token}"
            (client,) = http.get("/v1/apiclients", params={"AppName": app_name}).json()["Items"]
            http.patch(f"/v1/apiclients/{client['ID']}", json=fields).raise_for_status()
    finally:
        emulator.close()


if __name__ == "__main__":
    main()
