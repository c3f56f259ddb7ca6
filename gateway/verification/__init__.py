"""How does one question become one sealed answer? The corridor (order), the turnstile (together) and the seal (exact)."""
