"""Subscriptions that this node makes at sources for those made here."""
