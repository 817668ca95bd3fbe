"""Cases of a training: loading, preprocessing and caching."""
