"""How does one question become one sealed answer? The corridor (order), the batcher (together) and the judge (what is said)."""
