"""Keyword spotting: how its model is trained (train), scored (score), and its sample recording made (make_sample)."""
