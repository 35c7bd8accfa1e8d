"""The paper's figures and statements beside those measured here."""
