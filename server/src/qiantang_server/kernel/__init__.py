"""Kernel of the control plane: storage, coordination, the one resource life, watch streams, the web; no capability."""
