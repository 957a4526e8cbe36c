"""Anomalies of a fan by its vibration: how the autoencoder was trained, and how the ways to find them are scored."""
