"""Cases, what is seen in them, and the rules that they go by."""
