"""The page of messaging says of brokers what their adapters say."""

from __future__ import annotations

import sys

import pytest

from tools import messaging_table


def test_the_table_of_brokers_is_what_the_adapters_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["messaging_table.py", "--check"])
    assert messaging_table.main() == 0
