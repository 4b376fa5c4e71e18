"""App: an application's one connection to the platform."""

from qiantang.app.application import App as App
from qiantang.app.application import Application as Application
from qiantang.app.core import NothingToStartFromError as NothingToStartFromError
from qiantang.app.core import Status as Status
from qiantang.app.settings import SECTION as SECTION
from qiantang.app.settings import ClientSettings as ClientSettings
from qiantang.app.settings import Options as Options
