"""How do the claims that were sent compare with the record? Pure; nothing of a person is remembered."""
