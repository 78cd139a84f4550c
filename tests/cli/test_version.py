from reconciler import __version__
from tests.cli.conftest import Runner


def test_the_version_is_that_of_the_package(run: Runner) -> None:
    assert run("--version").out == run("version").out == f"reconciler {__version__}\n"
