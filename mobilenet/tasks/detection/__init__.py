"""Which objects an image shows, and where."""
