"""A credential that can't be printed by accident."""

from collections.abc import Callable


class Secret:
    """A credential by reference. `str()`, `repr()`, formatting and pickling never show its value."""

    __slots__ = ("_read", "source")

    def __init__(self, read: Callable[[], str], source: str) -> None:
        """Take a reader and a harmless name of where the value comes from (`env:NAME`)."""
        self._read = read
        #: Harmless name of the origin of the value, for messages.
        self.source = source

    @classmethod
    def literal(cls, value: str, source: str = "a literal in the configuration") -> "Secret":
        """Wrap a value that is already here."""
        return cls(lambda: value, source)

    def reveal(self) -> str:
        """Return the present value; a file is read again when it changed.

        Raises:
            SettingsError: it is missing or unreadable; the message names the reference.
        """
        return self._read()

    def __repr__(self) -> str:
        """Show where it comes from, never what it is."""
        return f"Secret({self.source})"

    __str__ = __repr__

    def __reduce__(self) -> str | tuple[object, ...]:
        """Refuse to be pickled."""
        message = "a Secret is never pickled"
        raise TypeError(message)
