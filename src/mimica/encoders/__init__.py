"""Frozen towers that take prompts at every layer."""
