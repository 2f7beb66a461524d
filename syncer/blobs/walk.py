"""Looking through a local folder. Blocking; for worker threads."""

import contextlib
import os
from collections.abc import Generator

from syncer.blobs.atomic import status_of, tag_of
from syncer.blobs.folders import Folders
from syncer.ports import BlobInfo


def walk(folders: Folders, prefix: str) -> Generator[BlobInfo, None, None]:
    """Yield all public files whose names start with a prefix; links are not followed."""
    stack = [prefix.rpartition("/")[0]]
    while stack:
        folder = stack.pop()
        path = _checked(folders, folder)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
            for entry in entries:
                name = f"{folder}/{entry.name}" if folder else entry.name
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    if f"{name}/".startswith(prefix):
                        stack.append(name)
                elif name.startswith(prefix) and entry.is_file(follow_symlinks=False):
                    status = status_of(entry.path)
                    if status is not None:
                        yield BlobInfo(name, status.st_size, tag_of(status))


def subfolders(folders: Folders, folder: str) -> list[str]:
    """Return the names of all public folders right below a folder, sorted; links are not followed."""
    start = f"{folder}/" if folder else ""
    path = _checked(folders, folder)
    with contextlib.suppress(FileNotFoundError, NotADirectoryError), os.scandir(path) as entries:
        return sorted(
            f"{start}{entry.name}"
            for entry in entries
            if not entry.name.startswith(".") and entry.is_dir(follow_symlinks=False)
        )
    return []


def _checked(folders: Folders, folder: str) -> str:
    """Return where a folder lies, with everything on the way to it looked at."""
    return folders.path(f"{folder}/x" if folder else "x").removesuffix("/x")
