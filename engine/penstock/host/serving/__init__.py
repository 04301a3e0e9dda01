"""An engine for clients at the end of connections: in a host, or in a program that listens.

General layout:
    bell        what wakes a server
    questions   what an answer is to
    peer        one client: telling it, listening to it
    server      clients of an engine, what they may do
    outbox      what waits to be told to a client, and what late ones must hear
    output      what is printed, by job and routine
    turns       how long a thread that computes keeps the interpreter
    attaching   programs that a window can attach to
    staying     what a host does once its window is gone
"""
