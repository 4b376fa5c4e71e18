"""Errors of the registry: the same ones with every adapter."""

from __future__ import annotations

from qiantang.kernel import errors


class RegistryAwayError(errors.UnavailableError):
    """The registry cannot be reached, or gave no answer in time: what was asked may have been done."""

    code = "registry.away"


class RegistryReadOnlyError(errors.UnsupportedError):
    """This registry is read alone: a static list, in which nobody registers."""

    code = "registry.read_only"


class RegistryFullError(errors.ExhaustedError):
    """The registry holds as many nodes, services or votes of this microservice as it may."""

    code = "registry.full"


class UnknownNodeError(errors.NotFoundError):
    """No node of that name was registered over this registry."""

    code = "registry.unknown_node"


class UnknownDefinitionError(errors.NotFoundError):
    """No definition of that service was published."""

    code = "registry.unknown_definition"


class RegistrationOverError(errors.ConflictError):
    """A node that drains never takes calls again: it ends, and another one is registered."""

    code = "registry.registration_over"


class SessionOverError(errors.ConflictError):
    """The platform's registry does not know the session, or no longer: open another one and register anew."""

    code = "registry.session_over"


class NotOwnNameError(errors.ForbiddenError):
    """An application registers nodes and publishes definitions for the microservice of its own name only."""

    code = "registry.not_own_name"


class NameTakenError(errors.ConflictError):
    """The application of that name of another center has the microservice."""

    code = "registry.name_taken"


class ApplicationsOnlyError(errors.ForbiddenError):
    """Only an application calls this, with a credential of its own."""

    code = "registry.applications_only"
