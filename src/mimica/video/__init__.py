"""A container in, frames with true times out; and back."""
