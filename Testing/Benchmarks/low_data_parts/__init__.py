"""The low-data benchmark in parts: arms, jobs, their scores, and what is made of them."""
