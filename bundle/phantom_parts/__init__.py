"""What the head phantom is made of; ``bundle.phantom`` is the entry."""
