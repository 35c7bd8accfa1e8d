"""What every page starts with: set-up, access, what a server does once."""
