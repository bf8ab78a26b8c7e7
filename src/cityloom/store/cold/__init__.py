"""The cold tier of history: open Delta Lake tables, on disk or in object storage.

This room knows tables, files and versions; it knows no city's file and no hot
row. Which version counts, and which rows of it were deleted since, is kept by
the store beside its hot rows: two commits are never one, so one of them rules.

polars and deltalake are imported where they are used: most commands need neither.
"""
