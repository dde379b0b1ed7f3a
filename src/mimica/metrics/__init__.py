"""Numbers from arrays: how often a recogniser is right, and how far its confidence can be trusted."""
