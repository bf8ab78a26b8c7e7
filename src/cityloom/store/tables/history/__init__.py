"""The past of entities: rows of both tiers, read as one history and written to the hot one."""
