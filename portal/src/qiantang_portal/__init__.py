"""The portal: built pages, and the ASGI application that serves them."""

from qiantang_portal.serving import Pages as Pages
from qiantang_portal.serving import make as make
