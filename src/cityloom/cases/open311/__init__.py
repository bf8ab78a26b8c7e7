"""Cases in the words of Open311."""
