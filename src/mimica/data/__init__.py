"""Where clips to learn from come from: one file a kind of data set."""
