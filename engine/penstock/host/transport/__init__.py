"""Authenticated connections between processes of one user. Knows nothing of what is sent.

General layout:
    handshake   how both ends prove that they know the key
    sockets     where sockets lie, and who is at the other end
    connections Listener and Connection: whole frames, within limits
"""
