"""Cityloom: a city's common digital base in one Python package."""

__version__ = "0.1.0"
