"""May this be asked under this agreement? Cedar policies decide; what no policy may allow is refused in code."""
