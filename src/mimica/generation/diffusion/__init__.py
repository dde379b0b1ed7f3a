"""Models that turn a still face and a plan or a prompt into a clip, behind one protocol."""
