"""Where the house is put together: settings, wiring, roles, the supervisor, the command line.

The only room that reads the environment, opens backends and starts processes. Everything else is handed what it needs
by name.
"""
