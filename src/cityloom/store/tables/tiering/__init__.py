"""History on its way into the cold tables: moved, imported, compacted, counted, and exported as one table."""
