"""What is timed, against what. Each module prints Markdown; ``make bench`` runs them and keeps the results."""
