"""Problems: every error leaves as problem+json with a stable code and the request's id; its cause stays in the log."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# Litestar leaves some of its types open

from __future__ import annotations

import logging
import traceback
from typing import Any, cast

import msgspec
from litestar import Request, Response
from litestar import exceptions as litestar_errors
from litestar.types import ExceptionHandlersMap

from qiantang.kernel import errors, wire

log = logging.getLogger(__name__)
MEDIA_TYPE = "application/problem+json"


def respond(error: errors.QiantangError, request_id: str) -> Response[bytes]:
    """Render an error of the tree."""
    headers = {"X-Request-Id": request_id} if request_id else {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after)))
    if error.status == errors.UnauthenticatedError.status:
        headers["WWW-Authenticate"] = "Bearer"
    body = msgspec.json.encode(error.document(request_id))
    return Response(body, status_code=error.status, headers=headers, media_type=MEDIA_TYPE)


def request_id(request: Request[Any, Any, Any]) -> str:
    """Give the id that this request has in logs, audit rows and answers."""
    return str(request.scope.get("request_id", ""))


def _known(request: Request[Any, Any, Any], error: errors.QiantangError) -> Response[bytes]:
    if error.status >= 500 and not error.retryable:
        log.error("request failed", extra={"code": error.code, "request_id": request_id(request)}, exc_info=error)
    return respond(error, request_id(request))


def _of_litestar(request: Request[Any, Any, Any], error: litestar_errors.HTTPException) -> Response[bytes]:
    status = error.status_code
    detail = error.detail
    found: list[errors.Problem] = []
    if isinstance(error, litestar_errors.ValidationException):
        extra = error.extra if isinstance(error.extra, list) else []
        details = [cast("dict[str, Any]", one) for one in extra if isinstance(one, dict)]
        found = [errors.Problem(str(one.get("message", "")), str(one.get("key", ""))) for one in details]
        return respond(errors.InvalidRequestError("the request is not valid", problems=found), request_id(request))
    if status == 405:
        return respond(MethodNotAllowedError(detail), request_id(request))
    document = errors.ProblemDocument(status=status, code=_CODES.get(status, "internal_error"), detail=detail)
    return respond(errors.from_document(document), request_id(request))


def _unexpected(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    log.error("request failed unexpectedly", extra={"request_id": request_id(request)}, exc_info=error)
    hidden = errors.InternalError("the server failed on this request; its log has the cause under the request id")
    return respond(hidden, request_id(request))


def _too_deep(request: Request[Any, Any, Any], error: RecursionError) -> Response[bytes]:
    """Tell a body that is nested too deep, which the decoder gives up on, from a fault of ours."""
    frames = [frame.f_globals.get("__name__", "") for frame, _line in traceback.walk_tb(error.__traceback__)]
    if frames and str(frames[-1]).startswith("litestar.serialization"):
        return respond(errors.InvalidRequestError("the request is not valid: nested too deep"), request_id(request))
    return _unexpected(request, error)


class MethodNotAllowedError(errors.InvalidRequestError):
    """The path exists, the method does not."""

    code = "method_not_allowed"
    status = 405
    title = "Method not allowed"


_CODES = {
    400: "invalid_request",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    413: "too_large",
    415: "invalid_request",
    429: "exhausted",
    503: "unavailable",
}

HANDLERS: ExceptionHandlersMap = {
    errors.QiantangError: _known,
    litestar_errors.HTTPException: _of_litestar,
    RecursionError: _too_deep,
    Exception: _unexpected,
}

_SAID = {
    401: "Not signed in, or the proof has ended",
    403: "Known, and not allowed",
    404: "Not there, or not visible to who asks",
    405: "The path exists, the method does not",
    409: "The state of the thing does not allow it now",
    410: "Removed on purpose: a copy must not be used any more",
    412: "Someone else wrote since the version or revision that was expected",
    413: "Over a limit",
    422: "The request is wrong; every problem found is listed with its place",
    429: "Too many requests; Retry-After says when to come back",
    503: "A part that is needed is away",
    504: "No answer came in time: it may have been done",
}
_METHODS = frozenset({"get", "post", "put", "patch", "delete"})


def documented(document: dict[str, Any]) -> dict[str, Any]:
    """Give the OpenAPI document with the problems that every route can answer with."""
    components = {**document.get("components", {})}
    schemas = wire.schema(errors.ProblemDocument)["$defs"]
    text = wire.encode({"schemas": schemas}).replace(b"#/$defs/", b"#/components/schemas/")
    components["schemas"] = {**components.get("schemas", {}), **wire.decode(text, dict[str, Any])["schemas"]}
    content = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
    said = {str(status): {"description": text, "content": content} for status, text in _SAID.items()}
    paths = {
        path: {
            method: {**one, "responses": {**said, **one.get("responses", {})}} if method in _METHODS else one
            for method, one in methods.items()
        }
        for path, methods in document.get("paths", {}).items()
    }
    return {**document, "components": components, "paths": paths}
