"""What goes on by itself: parts that end, clocks that turn, deadlines after another calendar."""
