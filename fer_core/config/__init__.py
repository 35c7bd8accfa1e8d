"""What a run is (frozen, hashed) and where it is carried out (settings, devices: never hashed)."""
