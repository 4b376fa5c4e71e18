"""Program: the root of the command line, its options, and the table of its own commands."""

from __future__ import annotations

import os
from typing import Any

import click

from qiantang.cli.frame import GROUP, Lazy, LazyGroup, load
from qiantang.cli.session import Session

COMMANDS = {
    "application": Lazy(
        "qiantang.cli.identity.estate:application",
        "Applications of a center; each exists in every environment of its tenant",
    ),
    "apply": Lazy(
        "qiantang.cli.commands.apply:apply", "Save resources from YAML files as drafts, and show what they change"
    ),
    "audit": Lazy(
        "qiantang.cli.commands.audit:audit", "Who did what: read the audit log, and prove it was not altered"
    ),
    "center": Lazy("qiantang.cli.identity.estate:center", "Business centers of a tenant, which applications belong to"),
    "completion": Lazy("qiantang.cli.commands.completion:completion", "Print the completion script of a shell"),
    "config": Lazy("qiantang.cli.config:config", "Settings of applications: edit, publish, watch, roll back"),
    "consume": Lazy(
        "qiantang.cli.commands.consume:consume", "Run the message handlers of an application until told to stop"
    ),
    "context": Lazy(
        "qiantang.cli.commands.context:context", "The control planes that you work with, and your scope in each"
    ),
    "credential": Lazy(
        "qiantang.cli.identity.credentials:credential",
        "What applications prove themselves with; two may be active, to change them without a gap",
    ),
    "dead": Lazy(
        "qiantang.cli.commands.dead:dead",
        "Messages that nobody could handle: look at them, send them again, delete them",
    ),
    "doctor": Lazy(
        "qiantang.cli.commands.doctor:doctor", "Look for what is wrong with this machine, the servers and your token"
    ),
    "environment": Lazy("qiantang.cli.identity.estate:environment", "Stages of a tenant, such as dev and prod"),
    "grant": Lazy("qiantang.cli.identity.rights:grant", "Who holds which role where, and until when"),
    "login": Lazy("qiantang.cli.commands.login:login", "Sign in to a control plane and keep a token for it"),
    "logout": Lazy("qiantang.cli.commands.login:logout", "Revoke the token of the context and forget it"),
    "password": Lazy(
        "qiantang.cli.identity.own:password", "Change your own password; your sessions end, your tokens stay"
    ),
    "role": Lazy("qiantang.cli.identity.rights:role", "Named sets of permissions, built in or of a tenant"),
    "service": Lazy(
        "qiantang.cli.service:service", "Services: export from code, import, compare, put online, subscribe"
    ),
    "session": Lazy("qiantang.cli.identity.own:browser_session", "Your own sessions in browsers"),
    "settings": Lazy(
        "qiantang.cli.commands.settings:settings", "Settings of the platform's processes: values, sources, meanings"
    ),
    "tenant": Lazy("qiantang.cli.identity.estate:tenant", "Customers or companies: nothing of one is seen by another"),
    "token": Lazy("qiantang.cli.identity.own:token", "Your own tokens for programs: they may never more than you"),
    "user": Lazy("qiantang.cli.identity.users:user", "Accounts of people, of a tenant or of the platform itself"),
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
