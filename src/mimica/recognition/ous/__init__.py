"""OUS: the face and the scene read together (arXiv 2405.18769)."""
