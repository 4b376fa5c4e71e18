"""Write the types of the portal's API client from the server's OpenAPI document; with --check, say whether they are true.

Every operation becomes one entry of `Operations`, named "METHOD /path", with its path parameters, query, headers, body and
answer, so that a page which asks for what is not there does not compile.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from pathlib import Path
from typing import Any

from qiantang.kernel import settings
from qiantang_server.app.process import ControlPlane
from qiantang_server.app.sections import sections
from qiantang_server.kernel.web import problems

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "portal/web/src/api/schema.gen.ts"
METHODS = ("get", "put", "post", "patch", "delete")
TAKEN = {"Record": "AuditRecord"}
"""Names that mean something else in TypeScript."""
_NAME = re.compile(r"^[A-Za-z_$][\w$]*$")


async def document() -> dict[str, Any]:
    """Give the OpenAPI document of a server with every capability, as it serves it."""
    with tempfile.TemporaryDirectory() as folder:
        flags = {"server.folder": settings.Flag(folder, "--folder")}
        loaded = settings.load(sections(), file=None, environment={}, flags=flags)
        async with ControlPlane(loaded.sections).open("http://127.0.0.1:1") as running:
            return problems.documented(running.application.openapi_schema.to_schema())


def name(text: str) -> str:
    """Give a schema's name as TypeScript takes it."""
    outer, _, inner = text.partition("_")
    if inner.endswith("_"):
        return f"{name(inner[:-1].rpartition('.')[2])}{outer}"
    return TAKEN.get(text, re.sub(r"\W", "_", text))


def typed(schema: dict[str, Any] | bool) -> str:
    """Give the type of a schema."""
    if isinstance(schema, bool) or not schema:
        return "unknown"
    if "$ref" in schema:
        return name(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(value) for value in schema["enum"])
    for several in ("oneOf", "anyOf"):
        if several in schema:
            return " | ".join(dict.fromkeys(typed(one) for one in schema[several]))
    if "allOf" in schema:
        return " & ".join(typed(one) for one in schema["allOf"])
    kinds = schema.get("type")
    if isinstance(kinds, list):
        return " | ".join(dict.fromkeys(typed({**schema, "type": one}) for one in kinds))
    return _of_type(kinds, schema)


def _of_type(kind: str | None, schema: dict[str, Any]) -> str:
    if kind in {"integer", "number"}:
        return "number"
    if kind in {"string", "boolean", "null"}:
        return str(kind)
    if kind == "array":
        parts = schema.get("prefixItems")
        if parts:
            return "[" + ", ".join(typed(one) for one in parts) + "]"
        inner = typed(schema.get("items", {}))
        return f"({inner})[]" if "|" in inner or "&" in inner else f"{inner}[]"
    if kind == "object" or "properties" in schema:
        if schema.get("properties"):
            return "{ " + " ".join(f"{line};" for line in members(schema)) + " }"
        rest = schema.get("additionalProperties", {})
        return f"Record<string, {typed(rest)}>"
    return "unknown"


def members(schema: dict[str, Any], *, answered: bool = False) -> list[str]:
    """Give the members of an object; in an answer every one is there, since the server leaves none out."""
    required = set(schema.get("required", ()))
    lines: list[str] = []
    for key, value in schema.get("properties", {}).items():
        shown = key if _NAME.match(key) else json.dumps(key)
        lines.append(f"{shown}{'' if answered or key in required else '?'}: {typed(value)}")
    return lines


def operation(path: str, method: str, said: dict[str, Any]) -> str:
    """Give the entry of one operation."""
    places: dict[str, list[str]] = {"path": [], "query": [], "header": []}
    for one in said.get("parameters", ()):
        optional = "" if one.get("required") else "?"
        shown = one["name"] if _NAME.match(one["name"]) else json.dumps(one["name"])
        places[one["in"]].append(f"{shown}{optional}: {typed(one.get('schema', {}))}")
    parts = [f"{place}: {{ {'; '.join(lines)} }}" for place, lines in places.items() if lines]
    body = next(iter(said.get("requestBody", {}).get("content", {}).values()), None)
    if body is not None:
        parts.append(f"body: {typed(body.get('schema', {}))}")
    answers = [one for status, one in said.get("responses", {}).items() if status.startswith("2")]
    content = next(iter(answers[0].get("content", {}).values()), None) if answers else None
    parts.append(f"answer: {typed(content.get('schema', {})) if content else 'void'}")
    return f'  "{method.upper()} {path}": {{ {"; ".join(parts)} }};'


def commands(found: dict[str, Any]) -> set[str]:
    """Name the schemas that requests send: their members may be left out where they have defaults."""
    seen: set[str] = set()

    def walk(schema: Any) -> None:
        if isinstance(schema, dict):
            reference = schema.get("$ref", "")
            key = reference.rpartition("/")[2]
            if key and key not in seen:
                seen.add(key)
                walk(found["components"]["schemas"].get(key))
            for value in schema.values():
                walk(value)
        elif isinstance(schema, list):
            for value in schema:
                walk(value)

    for methods in found["paths"].values():
        for one in methods.values():
            if isinstance(one, dict):
                walk(one.get("requestBody"))
    return seen


def written(found: dict[str, Any]) -> str:
    """Give the whole file."""
    sent = commands(found)
    lines = ["// Written by tools/portal_client.py from the server's OpenAPI document. Not to be edited.", ""]
    for key, schema in sorted(found["components"]["schemas"].items(), key=lambda one: name(one[0])):
        if schema.get("properties"):
            body = "\n".join(f"  {line};" for line in members(schema, answered=key not in sent))
            lines.append(f"export interface {name(key)} {{\n{body}\n}}\n")
        else:
            lines.append(f"export type {name(key)} = {typed(schema)};\n")
    lines.append("export interface Operations {")
    for path, methods in sorted(found["paths"].items()):
        lines += [operation(path, method, methods[method]) for method in METHODS if method in methods]
    return "\n".join([*lines, "}", ""])


def main() -> int:
    """Write, or check."""
    text = written(asyncio.run(document()))
    if "--check" in sys.argv:
        if TARGET.is_file() and TARGET.read_text() == text:
            return 0
        print(f"{TARGET.relative_to(ROOT)} is not what the server says: run tools/portal_client.py", file=sys.stderr)
        return 1
    TARGET.parent.mkdir(parents=True, exist_ok=True)
    TARGET.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
