"""What jobs are made of, and the Create requests that say so to SageMaker."""
