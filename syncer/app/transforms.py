"""Functions that documents pass on their way: found by name or `module:function`, chained into one transform."""

import hashlib
import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from syncer.app.parsed import parsing
from syncer.model.errors import SettingsError
from syncer.model.refs import AnnotationRef
from syncer.ports import Transform
from syncer.settings.problems import suggestion


class Function(msgspec.Struct, frozen=True):
    """A plain function as a transform. Its version follows its source, so an edited one makes its items changed."""

    call: Callable[[bytes, AnnotationRef], object]
    version: str

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return what the function returns.

        Raises:
            ValueError: the function refuses the document, or does not return bytes.
        """
        result = self.call(body, ref)
        if not isinstance(result, bytes):
            message = f"the transform returned {type(result).__name__}, not bytes"
            raise ValueError(message)  # noqa: TRY004  # the item becomes owed, with this reason
        return result


class Chain(msgspec.Struct, frozen=True):
    """A job's transform, then its validation: the validation's answer is dropped, only its refusal counts."""

    transform: Transform | None
    validator: Transform | None

    @property
    def version(self) -> str:
        """Both versions; changes when either does."""
        steps = (("", self.transform), ("validate=", self.validator))
        return ",".join(f"{prefix}{step.version}" for prefix, step in steps if step is not None)

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the bytes to store.

        Raises:
            ValueError: one of the two refuses the document.
        """
        result = body if self.transform is None else self.transform(body, ref)
        if self.validator is not None:
            self.validator(result, ref)
        return result


#: Transforms of this package, each imported when a job names it: what it needs may not be installed.
OWN: Mapping[str, str] = {"openlabel": "syncer.app.openlabel:OpenLabel"}


def find_transform(name: str, known: Mapping[str, Transform], base: Path, *, checks: bool = False) -> Transform:
    """Return the transform of a name, or of `module:function`. Blocks: it may import a module.

    A module that is not installed is looked for beside the configuration, in `base`. With `checks`,
    a plain function may return anything: it only validates.

    Raises:
        SettingsError: nobody knows the name, the module can't be imported, or it has no such function.
    """
    module_name, colon, function = name.partition(":")
    if not colon:
        if name in known:
            return known[name]
        if name not in OWN:
            message = f"no transform '{name}'; {suggestion(name, [*known, *OWN])}"
            raise SettingsError(message, hint="install the plug-in that offers it, or write module:function")
        module_name, _, function = OWN[name].partition(":")
    found: Any = _module(module_name, base)
    for part in function.split("."):
        found = getattr(found, part, None)
    if found is None:
        message = f"module {module_name} has no function '{function}'"
        raise SettingsError(message)
    return as_transform(found, name, checks=checks)


def as_transform(found: Any, name: str, *, checks: bool = False) -> Transform:  # noqa: ANN401  # whatever an author offers
    """Return an offered object as a transform: classes are called once, plain functions get a version.

    Raises:
        SettingsError: it can't be called.
    """
    made = found() if inspect.isclass(found) else found
    if not callable(made):
        message = f"transform '{name}' is not a function"
        raise SettingsError(message)
    if isinstance(getattr(made, "version", None), str):
        transform: Transform = made
        return transform
    version = f"{name}@{_source_digest(made)}"
    call = parsing(made)
    if checks:
        return Function(lambda body, ref: (call(body, ref), body)[1], version)
    return Function(call, version)


def _module(name: str, base: Path) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        beside = base.joinpath(*name.split(".")).with_suffix(".py")
        if not name.startswith(error.name or " ") or not beside.is_file():
            message = f"can't import {name}: {error}"
            raise SettingsError(message, hint=f"install it, or put {beside.name} beside the configuration") from error
    except Exception as error:  # the author's module may raise anything; it is translated
        message = f"can't import {name}: {type(error).__name__}: {error}"
        raise SettingsError(message) from error
    spec = importlib.util.spec_from_file_location(name, beside)
    assert spec is not None  # noqa: S101  # a .py file always has a loader
    assert spec.loader is not None  # noqa: S101  # same
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # the author's module may raise anything; it is translated
        message = f"can't import {beside.name}: {type(error).__name__}: {error}"
        raise SettingsError(message) from error
    return module


def _source_digest(function: object) -> str:
    try:
        source = inspect.getsource(function)  # type: ignore[arg-type]  # TypeError is expected for other callables
    except (OSError, TypeError):
        source = repr(type(function))
    return hashlib.sha256(source.encode()).hexdigest()[:8]
