"""Which images show the same: embeddings that lie close where they do."""
