"""Other people's files: which of them make a case, whose it is, and how they are read."""
