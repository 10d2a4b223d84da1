"""Pictures: reading, writing, sampling."""
