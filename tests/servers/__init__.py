"""Real servers as child processes of a test run: each on a free port with its data in a temporary folder."""
