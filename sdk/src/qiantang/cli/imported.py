"""Imported: objects in programs of the person's own, named as `module:name` and looked for from the folder he is in."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

from qiantang.kernel import errors


def imported(where: str, *, default: str = "") -> Any:
    """Import what "module:name" names; `default` is the name where none is said.

    Raises:
        MisconfiguredError: there is no such module, it fails as it is imported, or it has nothing of that name.
    """
    module, _, name = where.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return getattr(importlib.import_module(module), name or default)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        raise errors.MisconfiguredError(
            f"there is no module {error.name!r} to find {where!r} in, from {here}"
        ) from error
    except (AttributeError, ValueError) as error:
        raise errors.MisconfiguredError(f"the module {module} has no {name or default!r}") from error
    except Exception as error:  # it is the person's own program that failed, and not this one
        raise errors.MisconfiguredError(
            f"the module {module} cannot be imported: {type(error).__name__}: {error}"
        ) from error
