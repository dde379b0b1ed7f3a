"""What a patch looks like and how it is shaped: makers of features, learned by others or written down by hand."""
