"""Registry: the platform's own: sessions of processes, nodes and votes that end with them, definitions, and what people change."""
