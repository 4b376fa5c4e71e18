"""Balance: which node takes a call. Pure: time and chance come in."""
