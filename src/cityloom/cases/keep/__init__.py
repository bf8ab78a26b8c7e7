"""Cases as they are kept, with all that they go by: a city's files, versions, timers, photos."""
