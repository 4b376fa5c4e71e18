"""Sealing: secrets at rest. Master keys wrap data keys; data keys of a tenant encrypt its values in their places."""

from qiantang_server.kernel.sealing.keyring import Keyring as Keyring
from qiantang_server.kernel.sealing.keyring import WrongKeyringError as WrongKeyringError
from qiantang_server.kernel.sealing.rotation import KeyPurpose as KeyPurpose
from qiantang_server.kernel.sealing.rotation import RotatingKeys as RotatingKeys
from qiantang_server.kernel.sealing.sealing import PLATFORM as PLATFORM
from qiantang_server.kernel.sealing.sealing import SealedError as SealedError
from qiantang_server.kernel.sealing.sealing import Sealing as Sealing
from qiantang_server.kernel.sealing.sealing import open_sealing as open_sealing
from qiantang_server.kernel.sealing.settings import SealingSettings as SealingSettings
