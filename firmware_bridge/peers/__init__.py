"""Stand-ins for what hangs on the wire: programs a developer can run, and classes the tests use."""
