"""Folders of a local store: names are checked before use, made lazily, and forced to disk together. Blocking."""

import contextlib
import os
import stat
import threading
from pathlib import Path

from syncer.model.errors import SettingsError
from syncer.model.paths import is_safe

#: Checked folders kept in mind; beyond, they are simply checked again.
_REMEMBERED = 10_000


class Folders:
    """The folders below one root, as far as they were visited. Safe to share between threads."""

    def __init__(self, root: Path) -> None:
        """Take the root; the first write makes it."""
        self.root = str(root)
        self._known: set[str] = set()
        #: Folders whose entries changed and are not known to be on the disk.
        self._changed: set[str] = set()
        self._mutex = threading.Lock()
        self._syncing = threading.Lock()

    def path(self, name: str, *, make: bool = False) -> str:
        """Return where a name lies; with `make`, its folder exists afterwards.

        Raises:
            SettingsError: the name is unsafe, or a symbolic link on its way leads out of the root.
        """
        if not is_safe(name):
            message = f"{name[:200]!r} is no name below {self.root}"
            raise SettingsError(message)
        self._visit(name.rpartition("/")[0], make=make)
        return f"{self.root}/{name}"

    def forget(self) -> None:
        """Look at every folder again before its next use: somebody removed one."""
        self._known.clear()

    def changed(self, path: str) -> None:
        """Note that the folder of a path has to be forced to disk."""
        with self._mutex:
            self._changed.add(path.rpartition("/")[0])

    def sync(self) -> None:
        """Force all changed folders to disk; what another thread is just forcing is waited for."""
        with self._syncing:
            with self._mutex:
                changed, self._changed = self._changed, set()
            try:
                for folder in changed:
                    _force(folder or "/")
            except OSError:
                with self._mutex:
                    self._changed |= changed
                raise

    def _visit(self, folder: str, *, make: bool) -> bool:
        """Check a folder and all above it, each once; tell whether it exists."""
        if folder in self._known:
            return True
        if folder and not self._visit(folder.rpartition("/")[0], make=make):
            return False
        path = f"{self.root}/{folder}" if folder else self.root
        try:
            link = stat.S_ISLNK(os.lstat(path).st_mode)
        except FileNotFoundError:
            if not make:
                return False
            self._make(path, whole=not folder)
            link = False
        if folder and link and not self._inside(path):
            message = f"{path} is a symbolic link that leads out of {self.root}"
            raise SettingsError(message, hint="remove the link, or make its target the destination")
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._known.add(folder)
        return True

    def _make(self, path: str, *, whole: bool) -> None:
        folder = Path(path)
        missing = [one for one in (folder, *folder.parents) if not one.exists()] if whole else [folder]
        for one in reversed(missing):
            with contextlib.suppress(FileExistsError):  # another writer was quicker
                one.mkdir()
            self.changed(str(one))

    def _inside(self, path: str) -> bool:
        root = os.path.realpath(self.root)
        return os.path.commonpath([root, os.path.realpath(path)]) == root


def _force(folder: str) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:  # removed since: nothing is left to force
        return
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
