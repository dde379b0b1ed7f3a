"""Scans of parts on disk: one adapter for each way in which they are kept, and what is wrong with them."""
