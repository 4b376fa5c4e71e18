"""Service: the use cases of the one life. Edit, check, publish, gray, roll back, approve, look back."""

from qiantang_server.kernel.resources.service.ground import Ground as Ground
from qiantang_server.kernel.resources.service.resources import Resources as Resources
