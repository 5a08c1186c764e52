"""How networks are searched for: a file for each strategy, and what it is made of."""
