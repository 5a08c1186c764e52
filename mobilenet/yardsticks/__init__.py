"""Sets of photos by which networks for ImageNet are compared, and what they scored."""
