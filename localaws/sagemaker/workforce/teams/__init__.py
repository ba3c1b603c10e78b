"""Work teams: groups of a workforce's people."""
