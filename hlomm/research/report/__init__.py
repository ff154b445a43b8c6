"""One run as one page: what a journal or a recording holds, run again through the engine and drawn."""
