"""Signatures: in headers, chunks and URLs."""
