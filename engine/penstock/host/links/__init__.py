"""The client's side: one surface, and the ways to an engine, wherever it is.

General layout:
    client      EngineClient, over a link to an engine; the link to one in this process
    wire        the client's end of a connection to a host
    process     the link to a host of our own, from its start to its end
    attached    the link to a program that listens
    interpreter which Pythons can run the engine, and how a host is started
    boot        brings the engine into another Python
"""
