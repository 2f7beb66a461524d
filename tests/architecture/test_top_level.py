"""The checkout has few entries at its top, and every one of them is meant."""

from fnmatch import fnmatch

from tests.support.tree import ROOT

ALLOWED = frozenset(
    {"pyproject.toml", "syncer", "tests", "config", "Dockerfile", "README.md", ".ci", "CHANGELOG.md", "LICENSE"}
)


def _ignored() -> list[str]:
    lines = (ROOT / ".gitignore").read_text("utf-8").splitlines()
    return [line.strip().strip("/") for line in lines if line.strip() and not line.startswith(("#", "!"))]


def test_only_known_entries_at_the_top() -> None:
    """Apart from dotfiles and what git ignores, only the listed entries lie at the top of the checkout."""
    ignored = _ignored()
    entries = [path.name for path in ROOT.iterdir() if not path.name.startswith(".")]
    stray = [name for name in entries if name not in ALLOWED and not any(fnmatch(name, each) for each in ignored)]
    assert not stray
