# coding: latin-1
CONTRADICTS = 'its byte order mark'
