"""The engine behind a client of plain data: what a window talks to."""
