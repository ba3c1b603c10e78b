"""From what has changed to a new champion: whether to train, the search, the comparison, and the tasks of the gate."""
