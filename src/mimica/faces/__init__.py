"""Find, follow, cut out and judge the faces of a video."""
