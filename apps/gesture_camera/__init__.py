"""Hand signs from a camera: how the model of ``models/gesture_camera`` was trained and is scored."""
