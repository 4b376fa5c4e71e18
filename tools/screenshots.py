"""Take the pictures of the documents from the running product: `make screenshots`. Starts the demo in a folder of its own."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.pages.browser import Person, chromium  # noqa: E402  # the repository is on the path only now
from tests.servers import ports  # noqa: E402

IMAGES = ROOT / "docs/images"
ORDER = "/t/demo/prod/apps/trade/order"
PICTURES = [
    ("home", "en", "/t/demo/prod/home"),
    ("publish", "en", f"{ORDER}/config/publish"),
    ("history", "en", f"{ORDER}/config/history"),
    ("config", "zh", f"{ORDER}/config/edit/application"),
]
"""Name, language and page of each."""
NAME = "you"


def main() -> int:
    """Start, sign in by the one-time link, and take each picture in light and dark."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        process, said = _up(folder)
        try:
            with chromium() as browser:
                person = Person.at(browser, said["address"])
                _first_start(person, said["link"])
                person.page.wait_for_timeout(8000)  # the estate's programs connect meanwhile
                for name, language, path in PICTURES:
                    for theme in ("light", "dark"):
                        person.wears(theme=theme, language=language)
                        person.open(path)
                        person.page.wait_for_timeout(600)
                        person.page.screenshot(path=IMAGES / f"{name}-{theme}.png")
                person.close()
        finally:
            process.terminate()
            process.wait(timeout=30)
    print("\n".join(sorted(path.name for path in IMAGES.glob("*.png"))))
    return 0


def _up(folder: str) -> tuple[subprocess.Popen[str], dict[str, Any]]:
    command = [str(Path(sys.executable).parent / "qiantang"), "up", "--demo", "--json", "--folder", folder]
    process = subprocess.Popen([*command, "--port", str(ports.take())], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())


def _first_start(person: Person, link: str) -> None:
    password = secrets.token_urlsafe(18)
    page = person.page
    page.goto(link)
    page.fill("input[name=name]", NAME)
    for field in page.query_selector_all("input[type=password]"):
        field.fill(password)
    page.click("form button[type=submit]")
    page.wait_for_selector("main h1")


if __name__ == "__main__":
    sys.exit(main())
