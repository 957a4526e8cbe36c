"""What a visitor touches: the command line and the use cases."""
