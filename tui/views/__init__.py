"""From the store to lines of text: pure functions, one file per part of the screen."""
