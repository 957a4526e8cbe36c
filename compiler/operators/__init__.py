"""What can be compiled: a file for each of TFLite's operators, with ``lower(graph, node)``."""
