"""A generator tuned by rewards: an adapter on it, rules of learning, when to stop, and a run that can be resumed."""
