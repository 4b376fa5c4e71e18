"""Overview: many bundles at once, as one person may see them. Lists, his own work, convergence, and what words find."""

from qiantang_server.kernel.watch.overview.overview import Overview as Overview
