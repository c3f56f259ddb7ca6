"""How does HTTP meet the corridor? Headers in, problems and answers out; no SQL, no decision."""
