"""The command line: the only room above `app`. It talks to a person and ends with an exit status.

Everything that goes wrong for a known reason is one sentence on standard
error, and the status is not 0.
"""

from cityloom.cli.main import main

__all__ = ["main"]
