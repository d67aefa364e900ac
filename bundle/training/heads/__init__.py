"""Pairs of images painted onto tissue maps of whole heads: aligned by construction."""
