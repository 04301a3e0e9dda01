"""The window: flows drawn, edited, run, held and stepped."""
