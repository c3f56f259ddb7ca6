"""What regency offices send, and what it does to the register (pure; `store/feeds/` keeps it)."""
