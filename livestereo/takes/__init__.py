"""A take: one recording in a folder, complete enough to be computed again and to prove that it is whole."""
