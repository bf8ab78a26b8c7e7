"""Who registered to have what: read, checked, kept, followed."""
