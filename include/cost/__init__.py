"""What runs cost on AWS: a dated price table, an estimate before a run, and the bill of its jobs after it. Pure."""
