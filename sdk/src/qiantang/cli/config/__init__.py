"""`qiantang config`: the configuration center from the command line."""

from __future__ import annotations

from qiantang.cli.frame import Lazy, LazyGroup

_ROOM = "qiantang.cli.config"

config = LazyGroup(
    "config",
    help="Settings of applications: edit, publish, watch, roll back.",
    lazy={
        "delete": Lazy(f"{_ROOM}.drafts:delete", "Draft the removal of a namespace"),
        "diff": Lazy(f"{_ROOM}.drafts:diff", "Show what the drafts would change, or what separates two revisions"),
        "discard": Lazy(f"{_ROOM}.drafts:discard", "Throw drafts away"),
        "explain": Lazy(f"{_ROOM}.effective:explain", "Show what an instance sees, and where each value comes from"),
        "export": Lazy(f"{_ROOM}.exchange:export", "Write namespaces to a file"),
        "get": Lazy(f"{_ROOM}.namespaces:get", "Show a namespace, or one value of it"),
        "gray": Lazy(f"{_ROOM}.gray:gray", "Release to some instances first"),
        "history": Lazy(f"{_ROOM}.releases:history", "List the releases, newest first"),
        "import": Lazy(f"{_ROOM}.exchange:import_file", "Take namespaces from a file as drafts"),
        "instances": Lazy(f"{_ROOM}.instances:instances", "List the running instances with what each holds"),
        "list": Lazy(f"{_ROOM}.namespaces:list_namespaces", "List the namespaces of an application"),
        "publish": Lazy(f"{_ROOM}.releases:publish", "Publish drafts as a release"),
        "request": Lazy(f"{_ROOM}.requests:request", "Publishes that wait for a second person or their time"),
        "reveal": Lazy(f"{_ROOM}.namespaces:reveal", "Show a namespace with its secrets; this is written down"),
        "rollback": Lazy(f"{_ROOM}.releases:rollback", "Publish an earlier revision again"),
        "search": Lazy(f"{_ROOM}.effective:search", "Find settings by key or value in all you may read"),
        "set": Lazy(f"{_ROOM}.editing:set_values", "Set values of a namespace as a draft"),
        "show": Lazy(f"{_ROOM}.releases:show", "Show one release with its content"),
        "unset": Lazy(f"{_ROOM}.editing:unset", "Remove values of a namespace as a draft"),
        "watch": Lazy(f"{_ROOM}.instances:watch", "Tell of each release as it is published"),
    },
)
