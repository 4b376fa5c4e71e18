"""The one error tree: the sdk raises the same class that the server rendered.

QiantangError
├── InvalidRequestError 422          ├── ExhaustedError 429    retryable, retry_after
│   └── TooLargeError 413            ├── UnavailableError 503  retryable
├── UnauthenticatedError 401         ├── DeadlineError 504     retryable
├── ForbiddenError 403               ├── InternalError 500
├── NotFoundError 404                ├── RejectedError 409     a rule said no
├── GoneError 410                    ├── UnsupportedError 501  the part lacks the feature
└── ConflictError 409                └── MisconfiguredError    at start only
    └── StaleRevisionError 412           └── MissingExtraError

A capability subclasses a leaf and gives it a stable `code` of the form "<capability>.<what_happened>".
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec

_BY_CODE: dict[str, type[QiantangError]] = {}


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing wrong with an input: where it is and what is wrong with it.

    `path` is a dotted or JSON-pointer path inside the input; `line` and `column` count from 1, 0 where unknown.
    """

    message: str
    path: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        """Read as `path (line 3, column 7): message`."""
        place = f"line {self.line}, column {self.column}" if self.line else ""
        where = " ".join(part for part in (self.path, f"({place})" if place else "") if part)
        return f"{where}: {self.message}" if where else self.message


class ProblemDocument(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """An error on the wire: problem+json (RFC 9457) with a stable code."""

    type: str = "about:blank"
    title: str = ""
    status: int = 500
    code: str = "internal"
    detail: str = ""
    request_id: str = ""
    retry_after: float | None = None
    problems: list[Problem] = []
    facts: dict[str, Any] = {}


class QiantangError(Exception):
    """Root of the tree.

    `detail` is written for the person who reads it at night and is safe to show: it never holds a secret.
    `facts` are machine-readable extras (the current revision, the server's clock), safe as well.
    """

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        detail: str,
        *,
        problems: list[Problem] | None = None,
        retry_after: float | None = None,
        facts: dict[str, Any] | None = None,
        request_id: str = "",
    ) -> None:
        super().__init__(detail)
        self.detail = detail
        self.problems = problems or []
        self.retry_after = retry_after
        self.facts = facts or {}
        self.request_id = request_id

    def __init_subclass__(cls) -> None:
        """Make the class known by its code, so that the far side raises the same one."""
        super().__init_subclass__()
        if "code" in cls.__dict__:
            known = _BY_CODE.get(cls.code)
            if known is not None and (known.__module__, known.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeError(f"error code {cls.code!r} belongs to {known.__qualname__} already")
            _BY_CODE[cls.code] = cls

    def __str__(self) -> str:
        """Give the detail, then each problem on a line of its own."""
        return "\n  ".join([self.detail, *(str(problem) for problem in self.problems)])

    def document(self, request_id: str = "") -> ProblemDocument:
        """Render for the wire."""
        return ProblemDocument(
            type=f"urn:qiantang:error:{self.code}",
            title=self.title,
            status=self.status,
            code=self.code,
            detail=self.detail,
            request_id=request_id or self.request_id,
            retry_after=self.retry_after,
            problems=self.problems,
            facts=self.facts,
        )


class InternalError(QiantangError):
    """A fault of the platform itself."""

    code = "internal_error"


class InvalidRequestError(QiantangError):
    """The input is wrong; sending it again changes nothing."""

    code = "invalid_request"
    status = 422
    title = "Invalid request"


class TooLargeError(InvalidRequestError):
    """The input is over a limit."""

    code = "too_large"
    status = 413
    title = "Too large"


class UnauthenticatedError(QiantangError):
    """Who is asking is unknown."""

    code = "unauthenticated"
    status = 401
    title = "Not signed in"


class ForbiddenError(QiantangError):
    """Known, and not allowed."""

    code = "forbidden"
    status = 403
    title = "Not allowed"


class NotFoundError(QiantangError):
    """Not there, or not visible to who asks."""

    code = "not_found"
    status = 404
    title = "Not found"


class GoneError(QiantangError):
    """Was there and was removed on purpose: a copy of it must not be used any more."""

    code = "gone"
    status = 410
    title = "Gone"


class ConflictError(QiantangError):
    """The state of the thing does not allow it now."""

    code = "conflict"
    status = 409
    title = "Conflict"


class StaleRevisionError(ConflictError):
    """Someone else wrote since the revision that the caller expected."""

    code = "stale_revision"
    status = 412
    title = "Someone was faster"


class RejectedError(QiantangError):
    """A rule said no: a limit, an open circuit, an injected fault."""

    code = "rejected"
    status = 409
    title = "Rejected by a rule"


class ExhaustedError(QiantangError):
    """A quota or rate is used up; `retry_after` says when to come back, in seconds."""

    code = "exhausted"
    status = 429
    title = "Too many requests"
    retryable = True


class UnavailableError(QiantangError):
    """A part that is needed is away."""

    code = "unavailable"
    status = 503
    title = "Unavailable"
    retryable = True


class DeadlineError(QiantangError):
    """Not done within the time given."""

    code = "deadline"
    status = 504
    title = "Deadline passed"
    retryable = True


class UnsupportedError(QiantangError):
    """The part in use lacks the feature."""

    code = "unsupported"
    status = 501
    title = "Not supported"


class MisconfiguredError(QiantangError):
    """The settings cannot work; raised at start only."""

    code = "misconfigured"
    title = "Misconfigured"


class MissingExtraError(MisconfiguredError):
    """A driver is not installed; the detail holds the exact install line."""

    code = "missing_extra"


_BY_STATUS: dict[int, type[QiantangError]] = {
    401: UnauthenticatedError,
    403: ForbiddenError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    412: StaleRevisionError,
    413: TooLargeError,
    429: ExhaustedError,
    501: UnsupportedError,
    503: UnavailableError,
    504: DeadlineError,
}


def from_document(document: ProblemDocument) -> QiantangError:
    """Give the error that the far side raised: by its code, else by its status."""
    kind = _BY_CODE.get(document.code)
    if kind is None:
        fallback = InvalidRequestError if 400 <= document.status < 500 else InternalError
        kind = _BY_STATUS.get(document.status, fallback)
    return kind(
        document.detail or document.title,
        problems=list(document.problems),
        retry_after=document.retry_after,
        facts=dict(document.facts),
        request_id=document.request_id,
    )
