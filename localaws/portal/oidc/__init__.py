"""Sign-in to the portal by the OpenID Connect provider of a workforce."""
