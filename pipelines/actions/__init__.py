"""What a result sets off. A file here is an action: ``jsonl.py`` holds ``Jsonl``, YAML says ``jsonl``."""
