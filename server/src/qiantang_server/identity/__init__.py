"""Identity: tenants and their estate, users, roles and grants, sign-in, and the proof that applications bring."""
