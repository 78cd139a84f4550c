"""Files -> what git would do with them."""

import os
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from reconciler.manifests.context import InGit
from reconciler.project.git import GitFailed, Repository


def in_git(paths: Collection[Path]) -> Mapping[Path, InGit]:
    """Look up files that git tracks, or would add. What is ignored or in no repository is left out.

    So is what git does not answer for: it is not installed, or refuses the repository.
    """
    found: dict[Path, InGit] = {}
    repositories: dict[Repository, list[Path]] = defaultdict(list)
    for path in paths:
        if repository := Repository.around(path.parent):
            repositories[repository].append(path)
    for repository, files in repositories.items():
        found |= _within(repository, files)
    return found


def _within(repository: Repository, files: Collection[Path]) -> dict[Path, InGit]:
    top = Path(os.fsdecode(repository.top))
    names = {os.fsencode((path.parent.resolve() / path.name).relative_to(top).as_posix()): path for path in files}
    try:
        tracked, ignored = repository.tracked(names), repository.ignored(names)
    except GitFailed:
        return {}
    return {
        path: InGit(f"/{os.fsdecode(name)}", is_tracked=name in tracked)
        for name, path in names.items()
        if name in tracked or name not in ignored
    }
