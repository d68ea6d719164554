"""Where pairs come from: cameras, files, takes, the demo scene."""
