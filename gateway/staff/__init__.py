"""Who works here? Roles, members, passkeys and sessions of the operator's people and of partners' engineers (pure)."""
