"""Who may ask, on which agreement: parse it, find the version in force, tell a partner what it may ask and owes."""
