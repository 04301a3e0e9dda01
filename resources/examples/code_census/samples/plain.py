"""A small module with nothing odd in it."""


class Stack:
    """Last in, first out."""

    def __init__(self):
        self.items = []

    def push(self, item):
        self.items.append(item)

    def pop(self):
        if not self.items:
            raise IndexError("nothing to pop")
        return self.items.pop()


def evens(numbers):
    return [number for number in numbers if number % 2 == 0]
