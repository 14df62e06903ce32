"""The configuration: what its files may say, checked before anything runs.

Each class of this package is one level of a file in `config/`; its fields, defaults and
descriptions are the only source of `config/README.md` and of the JSON schemas in `config/schemas/`
(`make config` writes both). A wrong entry raises one `InputError` line that names the file and the
entry.
"""
