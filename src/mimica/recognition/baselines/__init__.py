"""What a method is held against: the same frozen encoder with less on top."""
