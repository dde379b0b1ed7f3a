"""Experiments: folds, reports, ablations; what trains or measures again and again and tells of it."""
