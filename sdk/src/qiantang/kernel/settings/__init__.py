"""Settings: what a process was told, typed and checked, with the place each value came from.

A section is a msgspec struct whose fields are `Annotated[T, msgspec.Meta(description=…)]`, registered under its name.
Sources, each over the one before: defaults, the TOML file, `QIANTANG_<SECTION>_<FIELD>`, flags.
"""

from __future__ import annotations

from qiantang.kernel.settings.rows import Row as Row
from qiantang.kernel.settings.rows import describe as describe
from qiantang.kernel.settings.rows import print_defaults as print_defaults
from qiantang.kernel.settings.section import Field as Field
from qiantang.kernel.settings.section import fields as fields
from qiantang.kernel.settings.sources import IGNORED as IGNORED
from qiantang.kernel.settings.sources import Flag as Flag
from qiantang.kernel.settings.sources import Loaded as Loaded
from qiantang.kernel.settings.sources import Source as Source
from qiantang.kernel.settings.sources import load as load
from qiantang.kernel.settings.values import Secret as Secret
from qiantang.kernel.settings.values import format_duration as format_duration
from qiantang.kernel.settings.values import parse_duration as parse_duration
