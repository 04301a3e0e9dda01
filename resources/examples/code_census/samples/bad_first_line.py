NAME = 'ångström'  # latin-1 bytes without a coding cookie
