"""What computes, and how: devices, memory, threads, and several processes."""
