"""The servers that are jars: where tools/install_servers.sh puts them, and the Java that runs them."""

from __future__ import annotations

import os
from pathlib import Path
from xml.etree import ElementTree

from tests.servers.process import find_program

_POMS = Path(__file__).parents[2] / "tools" / "jars"
_SMALL = ("-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:-UsePerfData", "-Djava.awt.headless=true")
"""A server of a test lives shortly: it is ready sooner, and in less memory, without the best compiler."""


def folder(name: str) -> Path:
    """Give the folder that the installer fills for a server: its pom file says which version."""
    version = ElementTree.parse(_POMS / name / "pom.xml").findtext("version")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "qiantang" / "jars" / f"{name}-{version}"


def missing(name: str) -> list[str]:
    """Give what of a server's jars and of the Java for them is not here."""
    found = {folder(name).name: folder(name).is_dir(), "java": find_program("java") is not None}
    return [what for what, there in found.items() if not there]


def java(heap: str, *options: str) -> list[str]:
    """Give the begin of a command line: a Java whose heap may grow to `heap`."""
    return [find_program("java") or "java", "-Xms64m", f"-Xmx{heap}", *_SMALL, *options]
