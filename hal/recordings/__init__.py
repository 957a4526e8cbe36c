"""Recordings as sensors, on every target: a reader per kind of file, and one ``Replay`` that plays them."""
