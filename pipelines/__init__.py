"""Core types, YAML, graph and run loop; transforms, engines, decoders and actions."""
