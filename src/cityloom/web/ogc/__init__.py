"""The OGC APIs (Features, Tiles) with their pages for people, and SensorThings."""
