"""Failures: the one place that turns an error into what a person reads and the code that a script sees.

| code | meaning |
|---|---|
| 0 | done |
| 1 | failed |
| 2 | wrong use: options, settings |
| 3 | not found |
| 4 | denied: not signed in, or not allowed |
| 5 | conflict: somebody was faster, or the state does not allow it |
| 6 | unavailable: no server, too late, too many requests |
"""

from __future__ import annotations

import os
import traceback

import click

from qiantang.cli import talk
from qiantang.kernel import errors

FAILED = 1
USAGE = 2
NOT_FOUND = 3
DENIED = 4
CONFLICT = 5
UNAVAILABLE = 6

INSTALL_LINE = "pip install 'qiantang[cli]'"
TRACE_VARIABLE = "QIANTANG_CLI_TRACE"

_CODES: tuple[tuple[type[errors.QiantangError], int], ...] = (
    (errors.MisconfiguredError, USAGE),
    (errors.NotFoundError, NOT_FOUND),
    (errors.GoneError, NOT_FOUND),
    (errors.UnauthenticatedError, DENIED),
    (errors.ForbiddenError, DENIED),
    (errors.ConflictError, CONFLICT),
    (errors.RejectedError, CONFLICT),
    (errors.UnavailableError, UNAVAILABLE),
    (errors.DeadlineError, UNAVAILABLE),
    (errors.ExhaustedError, UNAVAILABLE),
)

_ADVICE: tuple[tuple[type[errors.QiantangError], str], ...] = (
    (errors.UnauthenticatedError, "sign in: qiantang login"),
    (errors.ForbiddenError, "see who you are: qiantang context show; ask for the permission that is named"),
    (errors.StaleRevisionError, "look at what changed (qiantang config diff), then run it again"),
    (errors.UnavailableError, "see what is wrong: qiantang doctor"),
    (errors.DeadlineError, "see what is wrong: qiantang doctor"),
)

_SAID_ENOUGH = {"identity.bad_sign_in", "identity.bad_first_start"}


def exit_code(error: errors.QiantangError) -> int:
    """Give the stable code of an error."""
    return next((code for kind, code in _CODES if isinstance(error, kind)), FAILED)


def explain(error: errors.QiantangError) -> None:
    """Write what happened, each problem on a line of its own, and what to do."""
    talk.problem(error.detail)
    for one in error.problems:
        talk.say(f"  {talk.printable(str(one))}")
    if error.retry_after:
        talk.advise(f"try again in {error.retry_after:g} s")
    advice = next((text for kind, text in _ADVICE if isinstance(error, kind)), "")
    if advice and error.code not in _SAID_ENOUGH:
        talk.advise(advice)
    if error.request_id and error.status >= 500:
        talk.advise(f"the server's log has it under request {talk.printable(error.request_id)}")
    trace(error)


def trace(error: BaseException) -> None:
    """Write the trace where somebody asked for traces."""
    if os.environ.get(TRACE_VARIABLE):
        talk.say("".join(traceback.format_exception(error)).rstrip())


def unexpected(error: Exception) -> None:
    """Write what is a fault of the command line itself."""
    talk.problem(f"unexpected {type(error).__name__}: {error}")
    talk.advise(f"this is a fault of qiantang; {TRACE_VARIABLE}=1 shows where")
    trace(error)


def guard(context: click.Context, error: Exception) -> None:
    """Explain an error that a command raised and leave with its code."""
    if isinstance(error, ModuleNotFoundError) and (error.name or "").partition(".")[0] != "qiantang":
        error = errors.MissingExtraError(f"this command needs {error.name}, which is not installed: {INSTALL_LINE}")
    if isinstance(error, errors.QiantangError):
        explain(error)
        context.exit(exit_code(error))
    unexpected(error)
    context.exit(FAILED)
