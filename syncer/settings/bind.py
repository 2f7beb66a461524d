"""Prepares the options of one plug-in on the raw tree: secrets become references, other texts are interpolated."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from syncer.model.errors import SettingsError
from syncer.settings.catalog import Kind
from syncer.settings.interpolate import Missing, interpolate, is_reference
from syncer.settings.problems import Place, Problems, dotted
from syncer.settings.secrets import Seen, available, exposed, first_of, resolve
from syncer.settings.wording import alternatives, fields_of, inner, is_secret


class Binder(msgspec.Struct):
    """Walks raw options beside the model that they are meant for."""

    base: Path
    environ: Mapping[str, str]
    problems: Problems
    warnings: list[str]
    seen: Seen

    def prepare(self, expected: Any, value: Any, place: Place) -> Any:  # noqa: ANN401  # a raw tree and any annotation
        """Return the value with references resolved; what is wrong goes to the problems."""
        if is_secret(expected):
            return self._secret(value, place)
        if isinstance(value, str):
            text = self.text(value, place)
            # Relative paths count from the file, wherever the command was started.
            return self.base / Path(text).expanduser() if Path in alternatives(expected) else text
        if isinstance(value, dict):
            return {key: self.prepare(inner(expected, key), item, (*place, key)) for key, item in value.items()}
        if isinstance(value, list):
            return [self.prepare(inner(expected, index), item, (*place, index)) for index, item in enumerate(value)]
        return value

    def text(self, value: str, place: Place) -> str:
        """Return a text with its `${NAME}` references replaced."""
        try:
            return interpolate(value, self.environ)
        except Missing as error:
            self.problems.add(place, str(error), "set it, or give a default: ${NAME:-default}")
            return value

    def defaults(self, kind: Kind, options: dict[str, Any], place: Place) -> None:
        """Fill options that are absent from the references that the plug-in names for them, in place."""
        for name, expected in fields_of(kind.options).items():
            references = kind.defaults.get(name, ())
            if not references or options.get(name) is not None:
                continue
            found = [reference for reference in references if available(reference, self.base, self.environ)]
            required = any(
                info.is_required() for key, info in kind.options.model_fields.items() if (info.alias or key) == name
            )
            if is_secret(expected) and (found or required):
                where = dotted((*place, name))
                options[name] = first_of(references, self.base, where=where, environ=self.environ, seen=self.seen)
            elif found:
                # No credential: an address that were masked from now on would spoil every message.
                options[name] = resolve(found[0], self.base, environ=self.environ, seen=lambda _: None).reveal()
            elif required:
                self.problems.add((*place, name), f"is required (or {' or '.join(references)})")

    def _secret(self, value: Any, place: Place) -> Any:  # noqa: ANN401  # a raw value
        where = dotted(place)
        if isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, float):
            self.problems.add(place, "expected text; put the credential in quotes")
            return None
        if not isinstance(value, str):
            return value
        if is_reference(value):
            self.problems.add(place, "${…} is not replaced in a credential", "write env:NAME instead")
            return None
        try:
            warning = exposed(value, self.base)
            if warning is not None:
                self.warnings.append(f"{where}: {warning}")
            return resolve(value, self.base, where=where, environ=self.environ, seen=self.seen)
        except SettingsError as error:
            self.problems.add(place, str(error).removeprefix(f"{where}: "), error.hint)
            return None
