"""A run from its config to its report, with what is known of its data.

`training.train` is what `python main.py --config=...` does.
"""
