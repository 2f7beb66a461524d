"""Sizes as options say them: `256MiB`, `2GiB`, or bytes."""

from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema

from syncer.model.units import SIZE_PATTERN, size_in_bytes

Size = Annotated[
    int,
    BeforeValidator(size_in_bytes),
    Field(ge=1 << 16),
    WithJsonSchema({"anyOf": [{"type": "string", "pattern": SIZE_PATTERN}, {"type": "integer", "minimum": 1 << 16}]}),
]
