"""What changes a training job while it runs, and how it is profiled."""
