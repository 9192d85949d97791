"""One module a group of commands; `export.cli` puts them together. Heavy libraries are imported inside the commands, so
that `--help` is quick and their absence is one clear line."""
