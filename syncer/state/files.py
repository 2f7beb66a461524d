"""Where state lies on disk, and who may read it: files 0600, folders 0700."""

import os
from pathlib import Path

from syncer.model.errors import SettingsError

FILE_MODE = 0o600
FOLDER_MODE = 0o700


def locate(text: str, base: Path) -> Path:
    """Return the path behind `sqlite:PATH`; relative ones count from `base`.

    Raises:
        SettingsError: it is empty, or is spelled with two slashes as if a host followed.
    """
    if not text.strip() or (text.startswith("//") and not text.startswith("///")):
        message = f"sqlite:{text} does not name a file"
        raise SettingsError(
            message, hint="write sqlite:PATH, for example sqlite:state.db or sqlite:/var/lib/syncer/state.db"
        )
    path = Path("/" + text.lstrip("/") if text.startswith("/") else text).expanduser()
    # Lexically: a link to the file stays a link, and nothing is asked of the disk here.
    return Path(os.path.normpath(base / path))


def prepare(path: Path) -> None:
    """Make sure that a private file lies at `path`, in a folder that exists.

    A folder made here is private; one that exists is left as it is. A file that others may read is closed to them.
    The journal files beside the database take the mode of the database.

    Raises:
        SettingsError: it can't be created or opened there.
    """
    try:
        make_folder(path.parent)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, FILE_MODE)
        try:
            status = os.fstat(descriptor)
            if status.st_mode & 0o077 and status.st_uid == os.geteuid():
                os.fchmod(descriptor, FILE_MODE)
        finally:
            os.close(descriptor)
    except OSError as error:
        message = f"the state can't be kept in {path}: {error.strerror}"
        raise SettingsError(
            message, hint="name a file in a folder that this user may write to (setting `state`)"
        ) from error


def make_folder(folder: Path) -> None:
    """Create a folder and its parents, each of them private; those that exist are left as they are."""
    missing: list[Path] = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for each in reversed(missing):
        each.mkdir(FOLDER_MODE, exist_ok=True)
