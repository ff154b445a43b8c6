"""The trio shell: sockets, files, clocks. It moves values and decides nothing."""
