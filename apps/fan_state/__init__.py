"""The state of a fan by its vibration: how the model was trained and is scored."""
