"""Training of a run folder's model: data, losses, optimization, checkpoints and previews."""
