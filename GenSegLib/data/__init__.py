"""Cases of a training: discovery, download, checks, preprocessing and caching."""
