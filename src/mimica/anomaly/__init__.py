"""CIF: few-shot RGB and 3D anomaly detection from a memory of the structure that a few good parts share."""
