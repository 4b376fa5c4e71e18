"""Tuples: structs that cross the wire as arrays, described as what they are in the OpenAPI document."""

# pyright: reportUnknownMemberType=false
# Litestar leaves some of its types open

from __future__ import annotations

from typing import Any

import msgspec
from litestar.openapi.spec import OpenAPIType, Schema
from litestar.plugins import OpenAPISchemaPlugin
from litestar.typing import FieldDefinition


class TupleSchemas(OpenAPISchemaPlugin):
    """Describes what is `array_like`; Litestar itself would call it an object."""

    @staticmethod
    def is_plugin_supported_type(value: Any) -> bool:
        """Say whether a type is a struct that is written as an array."""
        return isinstance(value, type) and issubclass(value, msgspec.Struct) and value.__struct_config__.array_like

    def to_openapi_schema(self, field_definition: FieldDefinition, schema_creator: Any) -> Schema:
        """Describe its fields in their order; those at the end that have a default may be left out."""
        fields = msgspec.structs.fields(field_definition.annotation)
        described = [schema_creator.for_field_definition(FieldDefinition.from_annotation(one.type)) for one in fields]
        return Schema(
            type=OpenAPIType.ARRAY,
            title=field_definition.annotation.__name__,
            prefix_items=described,
            min_items=sum(one.required for one in fields),
            description=(field_definition.annotation.__doc__ or "").strip().partition("\n")[0] or None,
        )
