"""Generated clients and a local service -> what the commands cost, as ratios to what bounds them and to other tools.

Every figure is the median of several runs of whole processes; a command and its bound are run in turn. Absolute figures
are this machine's; the ratios are what to look at. Writes ``results.md`` and ``results.svg`` next to this file.
"""

import argparse
import compileall
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

import report
from cases import CASES, Findings, Row, Sizes
from measure import HERE, CommandFailed, machine
from paths import PATHS
from peers import PEERS, Missing

import reconciler

Case = Callable[[Path, Sizes, Findings], Iterator[Row]]


def run(cases: Sequence[Case], sizes: Sizes, findings: Findings, keep: Callable[[list[Row]], None]) -> list[Row]:
    """Measure, showing each row as it comes, and keeping what there is after each case."""
    rows: list[Row] = []
    for case in cases:
        began = time.monotonic()
        with tempfile.TemporaryDirectory() as folder:
            try:
                for row in case(Path(folder) / case.__name__, sizes, findings):
                    rows.append(row)
                    print(report.line(row), flush=True)
            except (Missing, CommandFailed) as problem:
                findings.server.append(f"Not measured, {case.__name__}: {problem}")
                print(findings.server[-1], flush=True)
                findings.failures += [case.__name__] * isinstance(problem, CommandFailed)
        print(f"{case.__name__} took {time.monotonic() - began:.0f} s", flush=True)
        keep(rows)
    return rows


def main() -> int:
    """Run what was asked for; name the targets that are missed, and then exit with 1."""
    known = {case.__name__: case for case in (*CASES, *PATHS, *PEERS)}
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", nargs="*", choices=[*known, []], help="all, unless named; only all are written down")
    parser.add_argument("--clients", type=int, default=10_000, help="for validate, plan and outputs")
    parser.add_argument("--changes", type=int, default=1_000, help="for apply")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, once, and nothing written down")
    options = parser.parse_args()
    if options.quick:
        options.clients, options.changes, options.runs = options.clients // 10, options.changes // 10, 1
    is_kept = not (options.case or options.quick)
    sizes, findings = Sizes(options.clients, options.changes, options.runs), Findings()

    def keep(rows: list[Row]) -> None:
        if is_kept:
            (HERE / "results.md").write_text(report.markdown(rows, findings, _facts(sizes)))

    # As pip does when it installs: else each run would compile the program anew, where PYTHONDONTWRITEBYTECODE is set.
    compileall.compile_dir(Path(reconciler.__file__).parent, quiet=1)
    rows = run([known[name] for name in options.case] or list(known.values()), sizes, findings, keep)
    if is_kept:
        report.plot(findings, HERE / "results.svg")
        print(f"written: {HERE / 'results.md'}")
    for one in report.missed(rows):
        print(f"missed {one}")
    if is_kept and (unexplained := report.unexplained(rows)):
        print(f"\nUNEXPLAINED: say in TRIED of benchmarks/report.py what was tried for: {'; '.join(unexplained)}")
    if findings.failures:
        print(f"\nFAILED, so not measured: {', '.join(findings.failures)}")
    return int(bool(findings.failures) or any(row.holds is False for row in rows))


def _facts(sizes: Sizes) -> str:
    now = datetime.now(UTC).date().isoformat()
    about = ", ".join(f"{name} {value}" for name, value in machine().items())
    return (
        f"Measured on {now}: {about}. Medians of {sizes.few} or {sizes.runs} runs of whole processes, a command and "
        "its bound in turn; take the ratios. `make bench` makes this page again."
    )


if __name__ == "__main__":
    sys.exit(main())
