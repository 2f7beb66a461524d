"""Functions that want a parsed document: the annotation of their first parameter says which model parses it."""

import inspect
from collections.abc import Callable
from typing import Any, get_type_hints

from pydantic import BaseModel, ValidationError

from syncer.model.refs import AnnotationRef

#: A transform as it is called.
Call = Callable[[bytes, AnnotationRef], object]

#: Faults of a document that are named.
SHOWN = 3


def parsing(function: Callable[..., Any]) -> Call:
    """Return a function from bytes; one whose first parameter is a pydantic model is given the parsed document.

    The reference is handed on to those that take a second parameter.
    """
    positional = _positional(function)
    model = _model(function, positional[0]) if positional else None
    if model is None and len(positional) != 1:
        return function
    takes_ref = len(positional) != 1

    def call(body: bytes, ref: AnnotationRef) -> object:
        first = body if model is None else parse(model, body)
        return function(first, ref) if takes_ref else function(first)

    return call


def parse(model: type[BaseModel], body: bytes) -> BaseModel:
    """Return the document as a value of a model.

    Raises:
        ValueError: it is none; the message names what is wrong and where, without any of its content.
    """
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False, include_input=False)
        shown = "; ".join(f"{'.'.join(map(str, each['loc'])) or 'document'}: {each['msg']}" for each in faults[:SHOWN])
        more = f" and {len(faults) - SHOWN} more" if len(faults) > SHOWN else ""
        message = f"not a {model.__name__}: {shown}{more}"
        raise ValueError(message) from None


def _positional(function: Callable[..., Any]) -> list[str]:
    """Return the names of the parameters that a call by position fills; none where nothing is known of them."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return []
    if any(each.kind is each.VAR_POSITIONAL for each in parameters):
        return []
    kinds = {inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD}
    return [each.name for each in parameters if each.kind in kinds]


def _model(function: Callable[..., Any], name: str) -> type[BaseModel] | None:
    target = function if inspect.isroutine(function) else type(function).__call__
    try:
        hint = get_type_hints(target).get(name)
    except (NameError, TypeError, AttributeError):
        # A hint that only a type checker can follow says nothing to us.
        return None
    return hint if isinstance(hint, type) and issubclass(hint, BaseModel) else None
