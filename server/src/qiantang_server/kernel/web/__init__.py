"""Web: HTTP as the control plane speaks it. One gate, one error format, one style of route for every resource."""

from qiantang_server.kernel.web.settings import WebSettings as WebSettings
