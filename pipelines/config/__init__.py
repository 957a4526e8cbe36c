"""From YAML text to typed configs: safe YAML 1.2, every problem with its place."""
