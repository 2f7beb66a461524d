"""`validate: openlabel`: a document that is no OpenLABEL annotation is owed, with the reason, instead of stored."""

import importlib
from functools import cached_property
from importlib.metadata import version as installed

from pydantic import BaseModel

from syncer.app.parsed import parse
from syncer.model.errors import SettingsError
from syncer.model.refs import AnnotationRef

#: The distribution that has the model, and where in it.
PACKAGE, MODULE, MODEL = "kognic-openlabel", "kognic.openlabel.models", "OpenLabelAnnotation"


class OpenLabel:
    """Parses each document with the vendor's own model, and stores it as it was served."""

    def __init__(self) -> None:
        """Find the model, which an extra brings.

        Raises:
            SettingsError: it is not installed.
        """
        try:
            self._module = importlib.import_module(MODULE)
        except ImportError as error:
            message = f"openlabel needs the optional package {PACKAGE}"
            raise SettingsError(message, hint="pip install 'annotation-syncer[openlabel]'") from error

    @cached_property
    def version(self) -> str:
        """Changes with the model: documents that another one refused, or let pass, are looked at again."""
        return f"openlabel@{installed(PACKAGE)}"

    def __call__(self, body: bytes, ref: AnnotationRef) -> bytes:
        """Return the document unchanged.

        Raises:
            ValueError: it is no OpenLABEL annotation.
        """
        del ref
        model: type[BaseModel] = getattr(self._module, MODEL)
        parse(model, body)
        return body
