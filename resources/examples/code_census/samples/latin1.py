# -*- coding: latin-1 -*-

NAME = 'Ångström'


def greet():
    return 'grüß ' + NAME
