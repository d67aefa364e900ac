"""The synthetic head: seeded volumes and picture pairs, no person's data."""
