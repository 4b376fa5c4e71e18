"""`qiantang completion`: what a shell needs to complete commands, options and names."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

VARIABLE = "_QIANTANG_COMPLETE"
HINTS = {
    "bash": "qiantang completion bash > ~/.local/share/bash-completion/completions/qiantang",
    "zsh": "qiantang completion zsh > ~/.zfunc/_qiantang, with ~/.zfunc in fpath before compinit",
    "fish": "qiantang completion fish > ~/.config/fish/completions/qiantang.fish",
}


@click.command(epilog="To keep it:\n\n" + "\n\n".join(HINTS.values()))
@click.argument("shell", type=click.Choice(list(HINTS)))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print the completion script of a shell."""
    kind = get_completion_class(shell)
    if kind is None:
        raise click.UsageError(f"no completion for {shell}")
    click.echo(kind(context.find_root().command, {}, "qiantang", VARIABLE).source())
