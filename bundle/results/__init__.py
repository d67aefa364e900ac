"""What a registered and fused pair leaves on disk."""
