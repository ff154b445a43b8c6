"""The recorder: public streams of the venues to disk, in a process that trades nothing."""
