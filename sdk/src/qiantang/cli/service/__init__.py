"""`qiantang service`: the catalog of services from the command line."""

from __future__ import annotations

from qiantang.cli.frame import Lazy, LazyGroup

_ROOM = "qiantang.cli.service"

service = LazyGroup(
    "service",
    help="Services: export from code, import, compare, put online, subscribe.",
    lazy={
        "deregister": Lazy(f"{_ROOM}.states:deregister", "Remove a service that nobody counts on"),
        "diff": Lazy(f"{_ROOM}.comparing:diff", "Show what another definition means for those who call a service"),
        "export": Lazy(f"{_ROOM}.exporting:export", "Write the definitions of services to a file, from code alone"),
        "import": Lazy(f"{_ROOM}.importing:import_file", "Take definitions from a file as drafts"),
        "list": Lazy(f"{_ROOM}.listing:list_services", "List the services of an application, with who calls them"),
        "offline": Lazy(f"{_ROOM}.states:offline", "Have services no longer be given to those who subscribed"),
        "online": Lazy(f"{_ROOM}.states:online", "Have services be given to those who subscribed"),
        "request": Lazy(f"{_ROOM}.requests:request", "Ask to call services that are for subscribers, and decide"),
        "search": Lazy(f"{_ROOM}.listing:search", "Find services of the tenant in all you may read"),
        "show": Lazy(f"{_ROOM}.listing:show", "Show a service with its methods"),
        "subscribe": Lazy(f"{_ROOM}.subscribing:subscribe", "Draft that an application calls services of another"),
    },
)
