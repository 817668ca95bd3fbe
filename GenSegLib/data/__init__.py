"""The cases of a training: found, fetched, checked, prepared, kept where they are large."""
