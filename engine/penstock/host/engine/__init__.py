"""A runtime that carries out commands, in the process it is in: what a host is made of.

General layout:
    hosted      HostedEngine
    monitor     the instrument that keeps events until they are fetched
    threads     every live thread
    values      what is inside values, by reference and page
    picture     the flow of a job, for whoever hasn't its file
    sources     which source files were imported, and which have changed
"""
