"""The record of every input and decision: bytes in, records out. Files are the daemon's business."""
