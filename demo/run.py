"""The manifests of this repository -> a demo of the daily workflow, from the first plan to corrected drift.

Runs the real commands in a temporary copy of `reconciler.yaml`, `marketplace.yaml` and `manifests/`, against the
embedded emulator: no server, no network, no files left behind. Fails at the first command with another exit code
than expected.
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
    """Run the demo in a temporary copy."""
    with tempfile.TemporaryDirectory(prefix="reconciler-demo-") as folder:
        for name in ("reconciler.yaml", "marketplace.yaml", "manifests", "schemas"):
            copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
            copy(ROOT / name, Path(folder) / name)
        play(Path(folder))


def play(folder: Path) -> None:
    """Run the demo in this folder."""
    say("A team keeps the API clients of its shop in git: three manifests. Validate them, offline:")
    run(folder, "validate")
    say("Plan the changes. The marketplace has two of the three clients, created by hand. Nothing is written yet.")
    run(folder, "plan")
    say("Apply it. In a terminal, apply asks for approval; --auto-approve skips that, and --quiet hides the plan.")
    run(folder, "apply", "--auto-approve", "--quiet")
    say("Plan again: no changes are left.")
    run(folder, "plan", "--detailed-exitcode")
    say("At night, a user in the portal allows every seller in the storefront, and removes its checkout.")
    edit_in_the_portal(
        folder, "Storefront", AllowSeller=True, OrderCheckoutIntegrationEventID=None, MaximumGrantedRoles=[]
    )
    say("The nightly drift job detects the change, and exit code 2 fails the job:")
    run(folder, "drift", exits=2)
    say(
        "AllowSeller is no drift: no manifest names that field, so it is not managed. `policy: {fields: exclusive}` "
        "manages all fields. Correct the managed ones:"
    )
    run(folder, "apply", "--auto-approve")
    say("No drift again:")
    run(folder, "drift")
    say("Done. To try it yourself:  .venv/bin/reconciler plan")


def say(text: str) -> None:
    """Print a paragraph of the demo."""
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
    """Change an API client without the reconciler: open the emulator's data and call OrderCloud's API."""
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
