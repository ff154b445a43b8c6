"""Many sets of settings over recordings, and what the best of them is worth after so many trials."""
