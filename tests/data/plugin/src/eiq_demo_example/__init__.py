"""A transform, a decoder, an action and a target that eiq-demo does not have."""
