"""Commands of the project that are not rules of the workflow; `make help` lists them."""
