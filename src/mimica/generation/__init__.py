"""ARGen: more clips of the expressions that are scarce, from knowledge of Action Units to clips made to a plan."""
