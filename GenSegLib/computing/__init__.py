"""What computes, and how: devices, memory and threads."""
