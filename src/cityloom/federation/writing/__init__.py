"""Writing entities and their evolutions, here and at sources."""
