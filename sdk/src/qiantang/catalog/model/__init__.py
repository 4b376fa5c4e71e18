"""Model: the nouns of the catalog, how they are governed, and the rules under which one definition takes another's place."""
