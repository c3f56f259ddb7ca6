"""Feeds of regency offices: where each stands, what it did to the register, whom a gap touches."""
