"""Numbers of the models, estimated from what was recorded; nothing is applied by itself (`hlomm calibrate`)."""
