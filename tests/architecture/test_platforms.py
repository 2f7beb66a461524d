"""Every platform is laid out alike, so that whoever knows one finds their way in the next."""

from syncer.app.registry import BUILT_IN
from tests.support.tree import ROOT

FOLDER = ROOT / "syncer" / "sources"

#: Sections of a platform that is reached over HTTP, each a file where the platform is a folder.
SECTIONS = ("auth", "listing", "changes", "documents")

#: Platforms that live in this process: they have nobody to log in to.
IN_PROCESS = frozenset({"memory"})


def test_rule_25_a_platform_is_one_file_or_one_folder() -> None:
    """Nothing else lies among the sources: each entry is a built-in platform of that name."""
    entries = {path.stem for path in FOLDER.iterdir() if not path.name.startswith("__")}
    assert entries == set(BUILT_IN["sources"])
    for name, origin in BUILT_IN["sources"].items():
        assert origin == f"syncer.sources.{name}:PLUGIN"


def test_rule_25_a_folder_has_the_same_sections_as_files() -> None:
    """Every platform that is a folder has its login, listing, changes and documents in files of these names."""
    missing = [
        f"{folder.name}/{section}.py"
        for folder in FOLDER.iterdir()
        if folder.is_dir() and not folder.name.startswith("__") and folder.name not in IN_PROCESS
        for section in SECTIONS
        if not (folder / f"{section}.py").is_file()
    ]
    assert not missing
