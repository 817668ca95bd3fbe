"""Planning of a training from its cases and from the machine, as nnU-Net plans from the cases.

A plan is a preset with all values fixed, and the settings of its training.
"""
