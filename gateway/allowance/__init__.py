"""How much may a partner still ask? Pure arithmetic; the seal makes it exact."""
