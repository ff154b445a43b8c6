"""Other people's recordings, into the store's schema."""
