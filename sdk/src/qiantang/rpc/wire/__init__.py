"""Wire: csf1, the framed and multiplexed protocol of calls."""
