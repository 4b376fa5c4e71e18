"""Nouns of configuration on the wire, trees of settings, and the effective settings of one instance."""

from qiantang.config.model import effective as effective
from qiantang.config.model import tree as tree
from qiantang.config.model.namespace import CAPABILITY as CAPABILITY
from qiantang.config.model.namespace import KIND as KIND
from qiantang.config.model.namespace import Delivered as Delivered
from qiantang.config.model.namespace import Format as Format
from qiantang.config.model.namespace import Item as Item
from qiantang.config.model.namespace import ItemType as ItemType
from qiantang.config.model.namespace import Namespace as Namespace
from qiantang.config.model.namespace import NamespaceName as NamespaceName
from qiantang.config.model.namespace import Reference as Reference
from qiantang.config.model.namespace import check_name as check_name
