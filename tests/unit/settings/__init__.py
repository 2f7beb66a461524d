"""Settings: files, overrides, secrets, bad input of every kind."""
