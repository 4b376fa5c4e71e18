"""Settings of an App: from arguments, environment and file, and what wrong ones are told."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

import qiantang
from qiantang.app import settings
from qiantang.kernel import errors

GOOD: dict[str, Any] = {
    "application": "shop",
    "credential": "shop-1",
    "secret": "s3cret-value",
    "servers": "http://127.0.0.1:1",
}


def test_arguments_are_over_the_environment_which_is_over_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "app.toml"
    file.write_text(
        '[client]\ntenant = "of-file"\ncenter = "of-file"\ncluster = "of-file"\nservers = ["http://127.0.0.1:1"]\n'
    )
    monkeypatch.setenv("QIANTANG_CLIENT_CENTER", "of-environment")
    monkeypatch.setenv("QIANTANG_CLIENT_CLUSTER", "of-environment")
    monkeypatch.setenv("QIANTANG_CLIENT_APPLICATION", "shop")
    monkeypatch.setenv("QIANTANG_CLIENT_CREDENTIAL", "shop-1")
    secret = tmp_path / "secret"
    secret.write_text("s3cret-value\n")
    monkeypatch.setenv("QIANTANG_CLIENT_SECRET_FILE", str(secret))
    monkeypatch.setenv("QIANTANG_STORAGE_URL", "sqlite:///of-a-server-on-the-same-machine")
    found = settings.read({"cluster": "of-argument", "settings_file": file})
    assert (found.tenant, found.center, found.cluster) == ("of-file", "of-environment", "of-argument")
    assert found.secret.reveal() == "s3cret-value"
    assert str(found.place) == "of-file/default/of-environment/shop"


def test_values_in_the_forms_that_python_has() -> None:
    found = settings.read({
        **GOOD, "start_deadline": 0.5, "callback_timeout": "2s", "labels": {"zone": "a"}, "folder": Path("/tmp/x"),
        "keep_copy": False, "servers": ["http://127.0.0.1:1", "http://127.0.0.1:2"], "instance": "shop-0", "version": "1.2",
    })  # fmt: skip
    assert (found.start_deadline, found.callback_timeout) == (timedelta(seconds=0.5), timedelta(seconds=2))
    assert (found.labels, found.folder, found.keep_copy, len(found.servers)) == (
        {"zone": "a"},
        Path("/tmp/x"),
        False,
        2,
    )
    assert found.copy_folder() is None
    instance = found.running()
    assert (instance.name, instance.cluster, instance.labels, instance.version) == (
        "shop-0",
        "default",
        {"zone": "a"},
        "1.2",
    )


def test_the_copy_of_each_application_has_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert settings.read({**GOOD}).copy_folder() == tmp_path / "qiantang/default/default/default/shop"
    assert settings.read({**GOOD, "folder": "/x", "tenant": "t"}).copy_folder() == Path("/x/t/default/default/shop")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"application": None}, "QIANTANG_CLIENT_APPLICATION"),
        ({"secret": None}, "QIANTANG_CLIENT_SECRET"),
        ({"servers": None}, "QIANTANG_CLIENT_SERVERS"),
        ({"credential": ""}, "needs a credential and its secret"),
        ({"aplication": "x"}, "did you mean client.application"),
        ({"tenant": "Not A Name"}, "client.tenant"),
        ({"start_policy": "hope"}, "one of defaults, fail"),
        ({"start_deadline": "soon"}, "client.start_deadline"),
        ({"start_deadline": 0}, "at least 10ms"),
        ({"callback_timeout": 60}, "at most 50s"),
        ({"key_file": "/x"}, "certificate_file"),
    ],
)
def test_wrong_settings_are_told_with_what_to_do(options: dict[str, Any], said: str) -> None:
    with pytest.raises(errors.MisconfiguredError) as caught:
        qiantang.App(**{**GOOD, **options})
    assert said in str(caught.value)
    assert "s3cret-value" not in str(caught.value)


def test_an_unknown_variable_of_the_section_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QIANTANG_CLIENT_SERVRES", "http://127.0.0.1:1")
    with pytest.raises(errors.MisconfiguredError, match="QIANTANG_CLIENT_SERVERS"):
        qiantang.sync.App(**GOOD)


def test_nothing_shows_the_secret() -> None:
    app = qiantang.sync.App(**GOOD)
    assert "s3cret-value" not in repr(app) + repr(app.status()) + repr(vars(app)) + repr(app._core.settings)
    assert repr(app) == "App(default/default/default/shop)"
    assert not app.status().open
