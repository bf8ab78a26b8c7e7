"""`python -m cityloom`: the command line, where the command `cityloom` is not on the path."""

from cityloom.cli.main import main

if __name__ == "__main__":
    main()
