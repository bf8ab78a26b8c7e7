"""Entity maps: requests that belong together, and their pages."""
