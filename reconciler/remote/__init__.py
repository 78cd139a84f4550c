"""The service as the pipeline sees it: a protocol, its httpx implementation, and the login."""
