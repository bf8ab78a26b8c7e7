"""The command line: the only room above `app`. It talks to a person and ends with an exit status.

Everything that goes wrong for a known reason is one sentence on standard
error, and the status is not 0.

A command is a small thing until it runs: the modules of this room that declare
commands (`city`, `out_of_the_city`, `care`, `keys`) import what the command
line itself needs, and a command imports its work, with the libraries behind
it, in its body. So `cityloom key list` does not wait for the node's libraries.
"""

from cityloom.cli.main import main

__all__ = ["main"]
