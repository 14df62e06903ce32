"""Add a study: inspect its files and suggest the rows of its configuration."""
