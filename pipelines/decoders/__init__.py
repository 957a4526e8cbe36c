"""From scores to results. A file here is a decoder: ``top.py`` holds ``Top``, YAML says ``top``."""
