"""Compatibility: what a change of a service's definition means for those who call it. Pure."""

from qiantang.catalog.model.compatibility.finding import BREAKING as BREAKING
from qiantang.catalog.model.compatibility.finding import COMPATIBLE as COMPATIBLE
from qiantang.catalog.model.compatibility.finding import UNCLEAR as UNCLEAR
from qiantang.catalog.model.compatibility.finding import Finding as Finding
from qiantang.catalog.model.compatibility.finding import Level as Level
from qiantang.catalog.model.compatibility.services import compare as compare
from qiantang.catalog.model.compatibility.services import is_breaking as is_breaking
from qiantang.catalog.model.compatibility.versions import same_major as same_major
