"""Files -> what git would do with them."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from reconciler.manifests.context import InGit, NoAnswer
from reconciler.project.git import GitFailed, Repository


def in_git(paths: Collection[Path]) -> Mapping[Path, InGit | NoAnswer]:
    """Look up files that git tracks, or would add. What is ignored or in no repository is left out."""
    found: dict[Path, InGit | NoAnswer] = {}
    repositories: dict[Repository, list[Path]] = defaultdict(list)
    for path in paths:
        if repository := Repository.around(path.parent):
            repositories[repository].append(path)
    for repository, files in repositories.items():
        try:
            found |= _within(repository, files)
        except GitFailed as failure:
            found |= dict.fromkeys(files, NoAnswer(failure.problem, failure.fix))
    return found


def _within(repository: Repository, files: Collection[Path]) -> dict[Path, InGit]:
    top = Path(os.fsdecode(repository.top))
    names = {os.fsencode((path.parent.resolve() / path.name).relative_to(top).as_posix()): path for path in files}
    tracked, ignored = set(map(_folded, repository.tracked())), repository.ignored(names)
    return {
        path: InGit(f"/{os.fsdecode(name)}", is_tracked=_folded(name) in tracked)
        for name, path in names.items()
        if _folded(name) in tracked or name not in ignored
    }


def _folded(name: bytes) -> str:
    """On some file systems, names that differ in case only are one file."""
    return os.fsdecode(name).casefold()
