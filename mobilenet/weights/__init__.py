"""Other people's weights into ours, each with its preprocessing contract, and out."""
