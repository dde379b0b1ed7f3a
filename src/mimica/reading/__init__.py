"""The main job: a video in, readings out."""
