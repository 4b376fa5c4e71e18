"""The command line: `qiantang`, over every process and every capability of the platform."""

from __future__ import annotations

import sys

try:
    from qiantang.cli.program import main as main
except ModuleNotFoundError as error:
    if error.name != "click":
        raise

    def main() -> None:
        """Say how to install what is missing."""
        sys.stderr.write("the command line is not installed: pip install 'qiantang[cli]'\n")
        sys.exit(1)
