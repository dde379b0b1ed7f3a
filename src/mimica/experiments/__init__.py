"""Things that train and measure again and again: ablations, folds, reports."""
