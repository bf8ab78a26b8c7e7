"""How the node fares, for whoever keeps it going: health, metrics, sources, personal data, schemas."""
