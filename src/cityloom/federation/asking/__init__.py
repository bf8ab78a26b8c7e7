"""Asking one source: which of them may have something, what it is sent, what its answer means."""
