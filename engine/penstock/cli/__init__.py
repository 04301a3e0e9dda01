"""The command line.

General layout, a line uses only lines below it:
    main            the table of commands
    run, check, bench    a module per command
    flows, values, progress     what FLOW stands for | -p and -c | how far a run is
"""
