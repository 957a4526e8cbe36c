"""What runs a model. A file here is an engine: ``tflite.py`` holds ``Tflite``, YAML says ``engine: {type: tflite}``."""
