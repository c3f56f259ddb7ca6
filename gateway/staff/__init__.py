"""People of the house and of partners: roles, members, passkeys and sessions (pure)."""
