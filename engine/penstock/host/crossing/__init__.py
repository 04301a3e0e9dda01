"""What crosses between a client and an engine: plain data, and how it turns into bytes.

General layout:
    protocol    what crosses besides events
    commands    every command of a client
    launch      what a flow's host is started with
    codec       all that crosses as bytes
"""
