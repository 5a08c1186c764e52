"""The networks of the MobileNet papers as tables of rows, and what interprets them."""
