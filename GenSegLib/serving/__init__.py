"""Resident predictions: `genseg serve`, its protocol, and clients for it.

Light: the server itself is imported by the command.
"""
