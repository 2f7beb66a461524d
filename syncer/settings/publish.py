"""The JSON Schema of the configuration file, for editors and checks."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, create_model
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from syncer.model.secret import Secret
from syncer.settings.catalog import Catalog, Kind
from syncer.settings.load import EXTENSION
from syncer.settings.schema import FileOptions, JobOptions
from syncer.settings.units import NAME_PATTERN

#: What an editor says about a credential.
SECRET_SCHEMA = {
    "type": "string",
    "description": "env:NAME, file:PATH, keyring:SERVICE/USER, or the credential itself.",
}


class _Generator(GenerateJsonSchema):
    """Writes a credential as the text of a reference."""

    def is_instance_schema(self, schema: core_schema.IsInstanceSchema) -> JsonSchemaValue:
        if isinstance(schema["cls"], type) and issubclass(schema["cls"], Secret):
            return dict(SECRET_SCHEMA)
        return super().is_instance_schema(schema)


def json_schema(catalog: Catalog) -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of a configuration with these platforms and sinks."""
    fields: dict[str, Any] = {
        "platforms": (_entries("Platform", catalog.platforms), Field(default={}, description="Platforms by name.")),
        "sinks": (_entries("Sink", catalog.sinks), Field(default={}, description="Destinations by name.")),
        "jobs": (dict[str, JobOptions], Field(default={}, description="Jobs by name.")),
    }
    model = create_model("Configuration", __base__=FileOptions, **fields)
    schema = model.model_json_schema(schema_generator=_Generator)
    for name, kind in catalog.platforms.items():
        # What the plug-in finds in the environment need not stand in the file.
        definition = schema["$defs"][_title("Platform", name)]
        definition["required"] = [key for key in definition["required"] if key not in kind.defaults]
    for section in ("platforms", "sinks", "jobs"):
        schema["properties"][section]["propertyNames"] = {"pattern": NAME_PATTERN}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_plain(schema),
        "title": "syncer configuration",
        "description": "Platforms, sinks and jobs of syncer.",
        "patternProperties": {f"^{EXTENSION}": {}},
    }


def _entries(word: str, kinds: Mapping[str, Kind]) -> Any:  # noqa: ANN401  # an annotation made at run time
    models = [_tagged(word, name, kinds[name].options) for name in sorted(kinds)]
    if not models:
        return dict[str, Any]
    union: Any = models[0]
    for model in models[1:]:
        union |= model
    entry: Any = Annotated[union, Field(discriminator="type")] if len(models) > 1 else union
    return dict[str, entry]


def _tagged(word: str, name: str, options: type[BaseModel]) -> type[BaseModel]:
    """Return the options with `type` fixed to its one value."""
    tag: Any = (Literal[name], Field(description=f"{word} type."))
    return create_model(_title(word, name), __base__=options, __doc__=options.__doc__, type=tag)


def _title(word: str, name: str) -> str:
    return "".join(part.title() for part in name.replace("-", "_").split("_")) + word


def _plain(schema: Any) -> Any:  # noqa: ANN401  # any JSON value
    """Drop generated titles, and bounds that pydantic could not put into words of JSON Schema."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    dropped = {"title"} if isinstance(schema.get("title"), str) else set()
    if "anyOf" in schema:
        dropped |= {"ge", "gt", "le", "lt"}
    return {key: _plain(value) for key, value in schema.items() if key not in dropped}
