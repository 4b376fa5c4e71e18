"""Catalog: the services of a tenant: exported from code, imported, compared, put online and offline, and subscribed to."""
