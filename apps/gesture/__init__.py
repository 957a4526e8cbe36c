"""Wand gestures from an accelerometer and a gyroscope."""
