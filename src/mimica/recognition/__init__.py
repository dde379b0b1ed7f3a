"""Models from clips to logits, and their registry."""
