"""What runs exported files, one module for each runtime."""
