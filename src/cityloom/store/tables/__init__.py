"""The ports over tables: what every store that keeps the city in a database has in common.

The code here speaks SQL that all of them understand; where they differ it asks the session's
`Dialect`. It must never know which database it works on, nor how a connection is opened.
"""
