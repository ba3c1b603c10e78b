"""SNS: topics, and the messages that were published to them, in files that people read."""
