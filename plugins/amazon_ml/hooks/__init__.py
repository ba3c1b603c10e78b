"""The hooks of amazon_ml, one AWS noun a file."""
