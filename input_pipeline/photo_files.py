"""Which files are taken for images, by the ends of their names."""

EXTENSIONS = ('.jpg', '.jpeg', '.png', '.bmp', '.gif', '.webp')
# Images all the same, but TensorFlow cannot decode them: said, not left out silently.
FOREIGN = ('.tif', '.tiff', '.heic', '.heif', '.avif')
