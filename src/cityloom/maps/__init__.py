"""What map services mean: collections, features, coordinate systems, formats. No HTTP here.

A collection is an entity type, a feature an entity, its geometry the entity's
`location`. `web` binds this to OGC API Features. What SensorThings means stands
in `maps.sensorthings`.
"""
