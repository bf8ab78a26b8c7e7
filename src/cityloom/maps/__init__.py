"""What OGC API Features and Tiles and SensorThings mean for the city's entities.

It stands above the broker and the store and answers with plain values. It must
never know HTTP: `web` binds it.
"""
