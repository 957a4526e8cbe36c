"""The states of a stream, found without labels."""
