"""Errors of identity: the sdk raises the same class that the server rendered."""

from __future__ import annotations

from qiantang.kernel import errors


class BadSignInError(errors.UnauthenticatedError):
    """Name and password do not go together; which of the two is wrong is not said."""

    code = "identity.bad_sign_in"


class SlowDownError(errors.ExhaustedError):
    """Too many wrong sign-ins from here; `retry_after` says when the next one is looked at."""

    code = "identity.slow_down"


class BadFirstStartError(errors.UnauthenticatedError):
    """The one-time token of the first start is wrong, used up or older than its few minutes."""

    code = "identity.bad_first_start"


class BadCredentialError(errors.UnauthenticatedError):
    """The application credential is unknown, or the request was not signed with its secret."""

    code = "identity.bad_credential"


class CredentialEndedError(errors.UnauthenticatedError):
    """The application credential has expired, or its tenant is disabled."""

    code = "identity.credential_ended"


class CredentialRevokedError(errors.GoneError):
    """Somebody revoked the application credential: what was received with it must not be used any more."""

    code = "identity.credential_revoked"


class ClockSkewError(errors.UnauthenticatedError):
    """The caller's clock is too far off; `facts.server_time` is the server's, in milliseconds."""

    code = "identity.clock_skew"


class ReplayedError(errors.UnauthenticatedError):
    """The nonce of a token request was used before."""

    code = "identity.replayed"


class TokenEndedError(errors.UnauthenticatedError):
    """The session or token is unknown, expired or revoked: sign in again."""

    code = "identity.token_ended"


class ApplicationGoneError(errors.GoneError):
    """The application was deleted: what was received for it must not be used any more."""

    code = "identity.application_gone"


class TooManyCredentialsError(errors.ConflictError):
    """The application has two active credentials in this environment already."""

    code = "identity.too_many_credentials"


class ExistsError(errors.ConflictError):
    """The name is taken."""

    code = "identity.exists"


class NotEmptyError(errors.ConflictError):
    """Something still belongs to what was to be deleted."""

    code = "identity.not_empty"


class WeakPasswordError(errors.InvalidRequestError):
    """The password would be guessed; the detail says why."""

    code = "identity.weak_password"


class BeyondOwnRightsError(errors.ForbiddenError):
    """Nobody gives, or takes over, what he does not hold himself; `facts` name what is missing."""

    code = "identity.beyond_own_rights"


class LastAdminError(errors.RejectedError):
    """It would leave the platform without anybody to administer it."""

    code = "identity.last_admin"


class InteractiveOnlyError(errors.ForbiddenError):
    """Only a person who signed in with his password may do this, not a token."""

    code = "identity.interactive_only"
