"""The control plane of qiantang."""
