"""Cases of a training: discovery, checks, preprocessing and caching."""
