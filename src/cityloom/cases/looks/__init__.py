"""Looks at kept cases: evaluations, duplicates and surges, asked for or by themselves."""
