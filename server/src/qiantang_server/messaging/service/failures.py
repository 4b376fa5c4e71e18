"""Failures: what keeps a server from an application's dead letters. Each says what to do."""

from __future__ import annotations

from qiantang.kernel import errors


class NoDeadLetterStoreError(errors.ConflictError):
    """The application has published no store where dead letters are kept."""

    code = "messaging.no_dead_letter_store"


class NotReachableError(errors.ConflictError):
    """A server may not, or cannot, open an address that the application has published."""

    code = "messaging.not_reachable"


class DeadLettersAwayError(errors.UnavailableError):
    """The store of dead letters, or the broker of a topic, does not answer."""

    code = "messaging.dead_letters_away"


class TooManyOpenError(errors.ExhaustedError):
    """Dead letters of too many applications are looked at just now, or those of one by too many."""

    code = "messaging.too_many_open"
