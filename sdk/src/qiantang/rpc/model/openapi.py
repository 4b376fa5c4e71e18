"""OpenAPI: services as every other language calls them: `POST /service/method` with JSON.

A method that streams its results answers with a line of JSON for each; one that takes a stream cannot be called so: it is left out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from qiantang.kernel import errors
from qiantang.rpc.model.definition import MethodDocument, ServiceDocument

TIMEOUT_HEADER: Final = "qiantang-timeout-ms"
LINES: Final = "application/x-ndjson"
"""What a stream of results is: JSON, one item a line; what went wrong after the first of them is a last line `{"error": …}`."""


def openapi_of(services: Sequence[ServiceDocument], title: str) -> dict[str, Any]:
    """Give the OpenAPI 3.1 document of services that one node provides."""
    _, problem = msgspec.json.schema_components([errors.ProblemDocument], ref_template="#/components/schemas/{name}")
    schemas: dict[str, Any] = dict(problem)
    paths: dict[str, Any] = {}
    for one in services:
        prefix = f"{one.name}."
        schemas |= {f"{prefix}{name}": _renamed(schema, prefix) for name, schema in one.schemas.items()}
        for method in (method for method in one.methods if method.item is None):
            paths[f"/{one.name}/{method.name}"] = {"post": _operation(one, method, prefix)}
    return {
        "openapi": "3.1.0",
        "info": {"title": title, "version": "1"},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _operation(service: ServiceDocument, method: MethodDocument, prefix: str) -> dict[str, Any]:
    return {
        "operationId": f"{service.name}/{method.name}",
        "tags": [service.name],
        "summary": method.description,
        "parameters": [
            {
                "name": TIMEOUT_HEADER,
                "in": "header",
                "description": "What the caller has left, in milliseconds.",
                "schema": {"type": "integer", "minimum": 1, "default": int(method.options.timeout * 1000)},
            }
        ],
        "requestBody": {"required": True, "content": _json(_renamed(method.arguments, prefix))},
        "responses": {
            "200": _answer(method, _renamed(method.result, prefix)),
            "default": {
                "description": "What went wrong.",
                "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
            },
        },
    }


def _answer(method: MethodDocument, schema: Any) -> dict[str, Any]:
    if method.streams == "none":
        return {"description": "The result.", "content": _json(schema)}
    return {"description": "The results, one a line.", "content": {LINES: {"schema": schema}}}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _renamed(schema: Any, prefix: str) -> Any:
    """Have references point to where all services' schemas stand."""
    if isinstance(schema, dict):
        found: dict[str, Any] = {}
        for key, value in schema.items():  # pyright: ignore[reportUnknownVariableType]
            if key == "$ref" and isinstance(value, str):
                found[key] = f"#/components/schemas/{prefix}{value.rpartition('/')[2]}"
            else:
                found[str(key)] = _renamed(value, prefix)  # pyright: ignore[reportUnknownArgumentType]
        return found
    if isinstance(schema, list):
        return [_renamed(one, prefix) for one in schema]  # pyright: ignore[reportUnknownVariableType]
    return schema
