"""Commands of the project that are no rules of the workflow; `make help` lists them."""
