"""Documents: text in each format to a tree of JSON values and back, refusing what is wrong, too large or hostile."""

from qiantang_server.config.rules.documents.document import Document as Document
from qiantang_server.config.rules.documents.document import check_size as check_size
from qiantang_server.config.rules.documents.document import emit as emit
from qiantang_server.config.rules.documents.document import parse as parse
from qiantang_server.config.rules.documents.json_syntax import compact as compact
from qiantang_server.config.rules.documents.reading import Budget as Budget
from qiantang_server.config.rules.documents.reading import DocumentError as DocumentError
from qiantang_server.config.rules.documents.reading import DocumentTooLargeError as DocumentTooLargeError
from qiantang_server.config.rules.documents.reading import Mark as Mark
from qiantang_server.config.rules.documents.reading import Place as Place
from qiantang_server.config.rules.documents.reading import locate as locate
