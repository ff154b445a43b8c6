"""What to want: one file per strategy, each from views to desired quotes; the registry lists them."""
