"""A study of one's own: its files are looked into, and rows for the configuration proposed."""
