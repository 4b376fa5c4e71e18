"""What programs use of the registry: a directory of each microservice they call, and the registration of their own node."""

from qiantang.registry.client.copies import Copies as Copies
from qiantang.registry.client.directory import Directory as Directory
from qiantang.registry.client.opening import directory_of as directory_of
from qiantang.registry.client.opening import registry_of as registry_of
from qiantang.registry.client.protection import Protection as Protection
from qiantang.registry.client.registration import Registration as Registration
