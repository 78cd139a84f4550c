"""``python -m reconciler``: the command line, where its script is not on the path."""

from reconciler.cli.main import run

if __name__ == "__main__":
    run()
