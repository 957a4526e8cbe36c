"""The model compiler: .tflite to a graph, through passes, to C."""
