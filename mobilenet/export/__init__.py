"""A trained network as a file for phones, browsers and servers."""
