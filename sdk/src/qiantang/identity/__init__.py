"""Identity in the sdk: the nouns of who may do what, as they cross the wire, and its errors by their codes."""

from __future__ import annotations

from qiantang.identity import errors as errors
