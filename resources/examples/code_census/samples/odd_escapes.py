PATTERN = '\d+\.\d*'  # the parser warns of these
