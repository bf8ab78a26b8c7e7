"""What all ports over tables work on: one connection, what it has learnt, what waits for it, its trouble."""
