"""qiantang for applications."""
