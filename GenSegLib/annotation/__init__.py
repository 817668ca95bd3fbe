"""The annotation loop: which case to annotate next, records of corrected drafts, and forecasts."""
