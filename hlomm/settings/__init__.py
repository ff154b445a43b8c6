"""Configuration: layers merged, origins kept, everything checked before anything runs."""
