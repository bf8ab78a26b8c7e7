"""Sources become batches: files, feeds, MQTT topics and pushes, through mappings that are data.

It reads what a city has (CSV, Parquet, GeoJSON, Shapefile, GeoPackage, GTFS,
GTFS-realtime, JSON), makes entities of the rows as a mapping says, hands them
to the broker in batches and gives account of every row: made, changed, left,
repeated or rejected with a reason. It must never know HTTP's server side, a
JSON-LD `@context` (names are expanded by a callable handed in) or who answers
the broker's Protocol.
"""
