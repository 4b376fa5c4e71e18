"""Program: the root of the command line, its options, and the table of its own commands."""

from __future__ import annotations

import os
from typing import Any

import click

from qiantang.cli.frame import GROUP, Lazy, LazyGroup, load
from qiantang.cli.session import Session

COMMANDS = {
    "apply": Lazy(
        "qiantang.cli.commands.apply:apply", "Save resources from YAML files as drafts, and show what they change"
    ),
    "audit": Lazy(
        "qiantang.cli.commands.audit:audit", "Who did what: read the audit log, and prove it was not altered"
    ),
    "completion": Lazy("qiantang.cli.commands.completion:completion", "Print the completion script of a shell"),
    "config": Lazy("qiantang.cli.config:config", "Settings of applications: edit, publish, watch, roll back"),
    "context": Lazy(
        "qiantang.cli.commands.context:context", "The control planes that you work with, and your scope in each"
    ),
    "doctor": Lazy(
        "qiantang.cli.commands.doctor:doctor", "Look for what is wrong with this machine, the servers and your token"
    ),
    "login": Lazy("qiantang.cli.commands.login:login", "Sign in to a control plane and keep a token for it"),
    "logout": Lazy("qiantang.cli.commands.login:logout", "Revoke the token of the context and forget it"),
    "settings": Lazy(
        "qiantang.cli.commands.settings:settings", "Settings of the platform's processes: values, sources, meanings"
    ),
}


GUARD = "qiantang.cli.failures:guard"


class Program(LazyGroup):
    """The root: every error of every command ends here, in `failures`."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; leave with a stable code where it fails."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, OSError) as error:
            if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
                load(GUARD)(ctx, error)
            raise
        except Exception as error:  # the end of the line: told to the person, not thrown at him
            load(GUARD)(ctx, error)


@click.group(
    cls=Program,
    lazy=COMMANDS,
    entry_points=GROUP,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.option("--context", "context_name", envvar="QIANTANG_CLI_CONTEXT", default="", help="context to work with")
@click.option(
    "--server",
    "servers",
    envvar="QIANTANG_CLI_SERVER",
    default="",
    metavar="URL[,URL]",
    help="servers, past the context",
)
@click.option(
    "-o",
    "--output",
    "form",
    type=click.Choice(["table", "json", "yaml", "name"]),
    envvar="QIANTANG_CLI_OUTPUT",
    default="table",
    help="how data is written",
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0.1),
    default=15.0,
    envvar="QIANTANG_CLI_TIMEOUT",
    help="seconds a call may take",
)
@click.option(
    "--no-input", is_flag=True, envvar="QIANTANG_CLI_NO_INPUT", help="never ask; fail where an answer is needed"
)
@click.version_option(package_name="qiantang", message="%(prog)s %(version)s")
@click.pass_context
def program(
    context: click.Context, /, *, context_name: str, servers: str, form: str, timeout: float, no_input: bool
) -> None:
    """Govern microservices: configuration and everything around it, from one command.

    Data is written to stdout, everything else to stderr. Exit codes: 0 done, 1 failed, 2 wrong use, 3 not found, 4 denied,
    5 conflict, 6 unavailable.
    """
    if os.environ.get("NO_COLOR"):
        context.color = False
    context.obj = Session(
        context_name=context_name,
        form=form,
        asks=not no_input,
        servers=[one.strip() for one in servers.split(",") if one.strip()],
        token=os.environ.get("QIANTANG_CLI_TOKEN", ""),
        timeout=timeout,
    )


def main() -> None:
    """Run the command line."""
    program(prog_name="qiantang")
