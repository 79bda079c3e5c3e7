"""The service: HTTP in, one call of a lower room, HTTP out."""
