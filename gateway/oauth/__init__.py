"""Who is calling, and may this token be used by whoever sends it? FAPI 2.0 for machine clients (client credentials)."""
