"""Entities, histories and types that lie here and at sources, read as one."""
