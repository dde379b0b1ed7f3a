"""DuSE, Dual-stream Semantic Enhancement (arXiv 2604.12777)."""
