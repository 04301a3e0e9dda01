"""The command line: `main` holds the table of commands, each command is a module of its own."""
