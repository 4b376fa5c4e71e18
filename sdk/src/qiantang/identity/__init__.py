"""Identity in the sdk: the nouns of who may do what, as they cross the wire."""
