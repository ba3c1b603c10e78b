"""What each container image does here."""
