"""Measures what a node does with a second of the processor: `python -m bench`, see docs/performance.md.

The modules with a `main` of their own measure one matter each, for decisions that name them.
"""
