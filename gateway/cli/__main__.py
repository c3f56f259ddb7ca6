"""What runs with `python -m gateway.cli`? The same as `nik-gateway`."""

from gateway.cli.main import main

main()
