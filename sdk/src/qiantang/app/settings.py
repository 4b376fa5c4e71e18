"""Settings of the section "client": who an application is, and where its control plane is."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, TypeVar, cast

import msgspec

from qiantang.config import client
from qiantang.kernel import scope, settings

SECTION = "client"
RPC, REGISTRY = "rpc", "registry"
"""Options with settings of their own; in files and in the environment their sections are client_rpc and client_registry."""

_PREFIX = "QIANTANG_"
S = TypeVar("S", bound=msgspec.Struct)


def _described(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


_Name = Annotated[str, msgspec.Meta(pattern=scope.NAME_PATTERN, max_length=64)]


class ClientSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What an App needs to know; see `Options` for the same as arguments."""

    application: Annotated[_Name, _described("Name of this application.")]
    credential: Annotated[str, _described("Id of the application's credential.")]
    secret: Annotated[settings.Secret, _described("Secret of the application's credential.")]
    servers: Annotated[list[str], _described("Addresses of the control plane, such as http://127.0.0.1:8600.")] = []
    zookeeper: Annotated[str, _described("ZooKeeper hosts that list the servers, instead of or beside `servers`.")] = ""
    tenant: Annotated[_Name, _described("Tenant that the application belongs to.")] = "default"
    environment: Annotated[_Name, _described("Environment that it runs in.")] = "default"
    center: Annotated[_Name, _described("Center (business domain) that it belongs to.")] = "default"
    cluster: Annotated[_Name, _described("Cluster that this instance runs in.")] = "default"
    instance: Annotated[
        str,
        msgspec.Meta(
            max_length=128, description="Name of this instance, stable over restarts; empty: host and process."
        ),
    ] = ""
    labels: Annotated[dict[str, str], _described("Labels of this instance, for gray releases.")] = {}
    version: Annotated[str, msgspec.Meta(max_length=64, description="Version of the application, for operators.")] = ""
    folder: Annotated[
        Path | None, _described("Folder of the encrypted last good copy; empty: in the user's state folder.")
    ] = None
    keep_copy: Annotated[bool, _described("Whether to keep a last good copy on disk.")] = True
    start_deadline: Annotated[
        timedelta,
        msgspec.Meta(
            description="How long to wait for the control plane at start before the copy on disk is used.",
            extra={"ge": timedelta(milliseconds=10), "le": timedelta(minutes=10)},
        ),
    ] = timedelta(seconds=3)
    start_policy: Annotated[
        Literal["fail", "defaults"],
        _described(
            "What to do when neither the control plane nor a copy on disk is there: fail, or start with defaults."
        ),
    ] = "fail"
    callback_timeout: Annotated[
        timedelta,
        msgspec.Meta(
            description="How long a callback may take, where it does not say itself.",
            extra={"ge": timedelta(milliseconds=1), "le": timedelta(seconds=client.MAX_LIMIT)},
        ),
    ] = timedelta(seconds=client.DEFAULT_LIMIT)
    authority_file: Annotated[Path | None, _described("Authorities to trust for TLS, instead of the system's.")] = None
    certificate_file: Annotated[Path | None, _described("Client certificate for TLS.")] = None
    key_file: Annotated[Path | None, _described("Key of the client certificate.")] = None

    def __post_init__(self) -> None:
        """Check what concerns several settings."""
        if not self.servers and not self.zookeeper:
            raise ValueError("says no way to the control plane: set servers (QIANTANG_CLIENT_SERVERS) or zookeeper")
        if not (self.credential and self.secret):
            raise ValueError(
                "an application needs a credential and its secret: make one for it, then set credential and secret"
                " (QIANTANG_CLIENT_CREDENTIAL, QIANTANG_CLIENT_SECRET or QIANTANG_CLIENT_SECRET_FILE)"
            )
        if self.key_file is not None and self.certificate_file is None:
            raise ValueError("key_file belongs to a certificate: set certificate_file as well")

    @property
    def place(self) -> scope.Scope:
        """The scope that the application belongs to."""
        return scope.Scope(
            tenant=self.tenant, environment=self.environment, center=self.center, application=self.application
        )

    def running(self) -> scope.Instance:
        """Describe this process."""
        host = socket.gethostname()
        return scope.Instance(
            name=self.instance or f"{host}-{os.getpid()}"[-128:],
            cluster=self.cluster,
            labels=self.labels,
            host=host,
            process=os.getpid(),
            version=self.version,
        )

    def copy_folder(self) -> Path | None:
        """Give the folder of this application's copy, or None where none is kept."""
        if not self.keep_copy:
            return None
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        above = self.folder or Path(state).expanduser() / "qiantang"
        return above / self.tenant / self.environment / self.center / self.application


class Options(TypedDict, total=False):
    """The settings of an App as arguments: over the environment, which is over the settings file.

    Durations are seconds, text such as "1m30s", or timedeltas. `secret_file` names a file that holds the secret,
    `settings_file` a TOML file with a section [client]. `rpc` and `registry` are what [client_rpc] and [client_registry] say: see
    `qiantang.rpc.settings` and `qiantang.registry.settings`.
    """

    application: str
    credential: str
    secret: str
    secret_file: str | Path
    servers: list[str] | str
    zookeeper: str
    tenant: str
    environment: str
    center: str
    cluster: str
    instance: str
    labels: Mapping[str, str]
    version: str
    folder: str | Path
    keep_copy: bool
    start_deadline: float | str | timedelta
    start_policy: Literal["fail", "defaults"]
    callback_timeout: float | str | timedelta
    authority_file: str | Path
    certificate_file: str | Path
    key_file: str | Path
    settings_file: str | Path
    rpc: Mapping[str, Any]
    registry: Mapping[str, Any]


def read(options: Options) -> ClientSettings:
    """Read the settings from arguments, environment and file.

    Raises:
        MisconfiguredError: something is missing, unknown or wrong; every problem is named with what to do.
    """
    own = {key: value for key, value in options.items() if key not in (RPC, REGISTRY)}
    return _load(SECTION, ClientSettings, options, own).section(SECTION, ClientSettings)


def read_part(options: Options, part: str, model: type[S], default: Mapping[str, Any] | None = None) -> S:
    """Read the settings of a part of an App; `default` has those that are not its model's own.

    Raises:
        MisconfiguredError: as `read`.
    """
    name = f"{SECTION}_{part}"
    loaded = _load(name, model, options, cast("Mapping[str, Any]", options.get(part, {})))
    found = loaded.section(name, model)
    unsaid = {key: value for key, value in (default or {}).items() if f"{name}.{key}" not in loaded.sources}
    return msgspec.structs.replace(found, **unsaid)


def _load(section: str, model: type[msgspec.Struct], options: Options, given: Mapping[str, Any]) -> settings.Loaded:
    file = options.get("settings_file")
    sections = (SECTION, *(f"{SECTION}_{part}" for part in (RPC, REGISTRY)))
    return settings.load(
        {section: model},
        file=Path(file) if file is not None else None,
        environment={
            name: value for name, value in os.environ.items() if name.startswith(f"{_PREFIX}{section.upper()}_")
        },
        flags={
            f"{section}.{key}": settings.Flag(option=f"{key}=", value=_plain(value))
            for key, value in given.items()
            if key != "settings_file"
        },
        ignore_sections=(*settings.IGNORED, *(one for one in sections if one != section)),
    )


def _plain(value: Any) -> Any:
    """Give numbers for durations, paths and mappings in the form that settings are read from."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return timedelta(seconds=value)
    if isinstance(value, Path):
        return str(value)
    return dict(cast("Mapping[str, Any]", value)) if isinstance(value, Mapping) else value
