"""What a run brought against what the backtester says it should have brought (`hlomm drift`)."""
