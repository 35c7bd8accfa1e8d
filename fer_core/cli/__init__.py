"""The command line, with the same powers as the dashboard: `main` names the commands, each a typed function."""
