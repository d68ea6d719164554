"""From disparity to better disparity."""
