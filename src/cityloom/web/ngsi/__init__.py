"""NGSI-LD (ETSI GS CIM 009 clause 6): entities and their history, subscriptions, registrations, snapshots."""
