"""AWS on localhost that really does the work. See docs/localaws.md."""
