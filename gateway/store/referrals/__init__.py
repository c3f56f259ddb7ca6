"""Cases about a NIK that does not work: opened by a partner or an officer, mended by an office."""
