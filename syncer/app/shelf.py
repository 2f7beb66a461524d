"""Plug-ins by type, each imported when it is taken: a run needs one platform, and importing all of them costs more."""

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

T = TypeVar("T")


class Shelf(Mapping[str, T]):
    """A mapping whose values are made by their first use. Names are known without that; equal to what it would hold."""

    def __init__(self, there: Mapping[str, T], wanted: Mapping[str, Callable[[], T]]) -> None:
        """Take what is there already, and how to get the rest."""
        self._there = dict(there)
        self._wanted = dict(wanted)
        self._names = dict.fromkeys([*wanted, *there])

    def __getitem__(self, name: str) -> T:
        if name not in self._there:
            self._there[name] = self._wanted[name]()
        return self._there[name]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
