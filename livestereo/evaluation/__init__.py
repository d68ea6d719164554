"""How good and how fast depth is: ground-truth formats, scores, throughput."""
