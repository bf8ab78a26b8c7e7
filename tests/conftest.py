"""What tests of several rooms share."""

from tests.real_city import imported

__all__ = ["imported"]
