"""credential: the secret is shown once, where it was asked for, and nowhere else."""

from __future__ import annotations

import shlex
import stat
from pathlib import Path
from typing import Any

import pytest

from qiantang.cli import contexts, files
from qiantang.kernel import errors

SECRET = "s3cr3t-shown-once"
PATH = "tenants/acme/centers/main/applications/orders/environments/prod/credentials"


def told(text: str) -> dict[str, str]:
    words = shlex.split(text)
    assert words[::2] == ["export"] * (len(words) // 2)
    return dict(word.split("=", 1) for word in words[1::2])


def test_a_new_credential_is_shown_with_its_secret(signed_in: Any, estate: Any, posted: Any) -> None:
    result = signed_in("credential", "create", "--title", "web", "--expires", "+1h")
    ((target, data),) = posted("POST")
    assert (target, data["title"]) == (PATH, "web")
    assert data["expires_at"] > 1_700_000_000_000
    assert SECRET in result.stdout
    assert SECRET not in result.stderr
    assert signed_in.json("credential", "create", "acme/prod/main/orders")["secret"] == SECRET
    assert signed_in("credential", "create", "-o", "name").stdout == "qtc-new\n"


def test_export_lines_are_what_an_application_reads(signed_in: Any, estate: Any, center: Any) -> None:
    result = signed_in("credential", "create", "beta/dev/trade/stock", "--format", "env")
    assert told(result.stdout) == {
        "QIANTANG_CLIENT_SERVERS": center.address,
        "QIANTANG_CLIENT_TENANT": "beta",
        "QIANTANG_CLIENT_ENVIRONMENT": "dev",
        "QIANTANG_CLIENT_CENTER": "trade",
        "QIANTANG_CLIENT_APPLICATION": "stock",
        "QIANTANG_CLIENT_CREDENTIAL": "qtc-new",
        "QIANTANG_CLIENT_SECRET": SECRET,
    }
    plain = signed_in("credential", "create", "--format", "dotenv").stdout.splitlines()
    assert plain[-1] == f"QIANTANG_CLIENT_SECRET={SECRET}"
    assert not any(one.startswith("export") for one in plain)


def test_an_authority_of_the_context_goes_along(signed_in: Any, estate: Any) -> None:
    known = contexts.load(signed_in.file)
    (folder := signed_in.file.parent / "a b").mkdir()
    (folder / "ca.pem").write_text("")
    signed_in("context", "set", "--ca-file", str(folder / "ca.pem"))
    assert contexts.load(signed_in.file) != known
    result = signed_in("credential", "create", "--format", "env")
    assert told(result.stdout)["QIANTANG_CLIENT_AUTHORITY_FILE"] == str(folder / "ca.pem")


def test_a_file_takes_the_secret_for_its_owner_alone(signed_in: Any, estate: Any, posted: Any, tmp_path: Path) -> None:
    file = tmp_path / "order.env"
    result = signed_in("credential", "create", "--file", str(file))
    assert SECRET not in result.output
    assert str(file) in result.stdout
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert told(file.read_text())["QIANTANG_CLIENT_SECRET"] == SECRET
    kept = signed_in.json("credential", "create", "--file", str(file), "--force")
    assert kept == {"id": "qtc-new", "application": "acme/prod/main/orders", "expires_at": 0, "file": str(file)}
    assert sorted(one.name for one in tmp_path.iterdir()) == ["contexts.toml", "order.env"]
    assert len(posted("POST")) == 2


def test_no_credential_is_made_that_could_not_be_kept(signed_in: Any, estate: Any, posted: Any, tmp_path: Path) -> None:
    (tmp_path / "there").write_text("mine")
    assert "give --force" in signed_in("credential", "create", "--file", str(tmp_path / "there"), code=5).stderr
    assert "cannot be written" in signed_in("credential", "create", "--file", str(tmp_path / "no/x"), code=2).stderr
    assert "it is not a file" in signed_in("credential", "create", "--file", str(tmp_path), "--force", code=2).stderr
    assert posted("POST") == []
    assert (tmp_path / "there").read_text() == "mine"


def test_a_refusal_leaves_no_file(signed_in: Any, estate: Any, center: Any, tmp_path: Path) -> None:
    center.refuse = errors.ConflictError("two are active already")
    signed_in("credential", "create", "--file", str(tmp_path / "order.env"), code=5)
    assert [one.name for one in tmp_path.iterdir()] == ["contexts.toml"]


def test_rotation_says_how_long_the_old_one_stays(signed_in: Any, estate: Any, posted: Any) -> None:
    assert SECRET in signed_in("credential", "rotate", "qtc-old").stdout
    assert signed_in.json("credential", "rotate", "qtc-old", "acme/prod/main/orders", "--overlap", "30m")
    assert "give --yes" in signed_in("credential", "rotate", "qtc-old", "--overlap", "0", code=2).stderr
    signed_in("credential", "rotate", "qtc-old", "--overlap", "0", "-y", "--format", "env")
    assert [target for target, _ in posted("POST")] == [f"{PATH}/qtc-old/rotate"] * 3
    assert [data["overlap_seconds"] for _, data in posted("POST")] == [86400, 1800, 0]
    assert "is no duration" in signed_in("credential", "rotate", "qtc-old", "--overlap", "soon", code=2).stderr


def test_credentials_are_listed_without_secrets(signed_in: Any, estate: Any) -> None:
    moments = dict.fromkeys(("expires_at", "revoked_at", "last_used_at"), 0)
    estate.put(f"{PATH}/qtc-1", title="web", active=True, created_by="ann", **moments)
    assert signed_in("credential", "list", "-o", "name").stdout == "qtc-1\n"
    assert "web" in signed_in("credential", "list", "acme/prod/main/orders").stdout
    assert "no credentials" in signed_in("credential", "list", "-e", "dev").stderr


def test_a_file_is_written_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("old")
    link = tmp_path / "link"
    link.symlink_to(file)
    with pytest.raises(ZeroDivisionError), files.whole(file) as opened:
        opened.write(b"half")
        raise ZeroDivisionError
    assert file.read_text() == "old"
    with files.whole(link) as opened:
        opened.write(b"new")
    assert link.is_symlink()
    assert file.read_text() == "new"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["link", "x"]
