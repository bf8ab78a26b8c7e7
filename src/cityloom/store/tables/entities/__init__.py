"""Current entities: their bodies, what narrows a query to them, counts, and what maps need of them."""
