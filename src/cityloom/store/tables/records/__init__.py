"""Small things kept whole: the event log, documents and deliveries, leases, personal data."""
