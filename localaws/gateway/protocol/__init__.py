"""AWS wire formats: codecs, validation and signatures, off botocore's own service models."""
