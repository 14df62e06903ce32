"""The documentation as a site: pages that follow from the project itself, for MkDocs."""
