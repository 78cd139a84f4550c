"""The project of the command lines' tests: a folder and a marketplace."""

from tests.cli.conftest import bare_environment, project, served

__all__ = ["bare_environment", "project", "served"]
