"""Steps from frames to frames. A file here is a transform: ``log_mel.py`` holds ``LogMel``, YAML says ``log_mel``."""
