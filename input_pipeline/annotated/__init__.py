"""Pictures with boxes or a mask each: folders of every format, and sets of TFDS."""
