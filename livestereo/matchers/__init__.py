"""From a rectified pair to disparity."""
