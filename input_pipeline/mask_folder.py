"""x"""

open_masks = None
