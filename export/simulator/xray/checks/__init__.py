"""Is the twin to be believed, and how hard is it? Measurements beside real pictures, and a cheap classifier."""
