"""Detectors of Action Units: from a face to how strong each unit looks."""
