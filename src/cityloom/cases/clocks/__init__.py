"""When a city works, and how long something may take."""
