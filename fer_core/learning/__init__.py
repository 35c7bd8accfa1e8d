"""Networks, what they are fed, how they are trained, and what they are compared with."""
