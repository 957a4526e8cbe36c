"""Real devices as sensors, on every target that has them: a microphone through PortAudio, a camera through OpenCV."""
