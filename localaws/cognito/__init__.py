"""What moto's user pools lack: hosted pages, the OAuth 2.0 endpoints and tokens signed by a key of this home's own."""
