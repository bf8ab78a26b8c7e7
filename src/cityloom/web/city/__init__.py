"""What the page is drawn from: the city, its layers, live changes, the past, search, lineage."""
