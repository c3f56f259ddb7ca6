"""Who lives in a demonstration? People who do not exist, with district codes that do."""
