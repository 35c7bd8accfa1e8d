"""What every page starts with: set-up, access, uploads kept in memory."""
