# coding: klingon
HELLO = 'nuqneH'
