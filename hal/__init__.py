"""Targets: what a pipeline runs on. A target is a factory of capabilities."""
