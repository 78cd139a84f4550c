"""``reconciler`` and ``python -m reconciler``: the command line, which signals end from its first import on."""

from reconciler.cli import signals


def run() -> None:
    """Be the program."""
    signals.handle(signals.end)
    from reconciler.cli.main import run  # noqa: PLC0415  # it imports much

    run()


if __name__ == "__main__":
    run()
