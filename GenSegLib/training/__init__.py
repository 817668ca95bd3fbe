"""A training, from its run folder to its model: the three levels, with images in them."""
