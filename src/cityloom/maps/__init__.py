"""What map services mean: collections, features, tiles, coordinate systems, formats. No HTTP here.

A collection is an entity type, a feature an entity, its geometry the entity's
`location`. `web` binds this to the OGC APIs. What SensorThings means stands
in `maps.sensorthings`.
"""
