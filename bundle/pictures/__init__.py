"""Reading, colouring and writing 2D pictures."""
