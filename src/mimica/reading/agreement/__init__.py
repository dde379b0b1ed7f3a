"""What people annotated, read back, and how far it agrees with readings or with another coder."""
