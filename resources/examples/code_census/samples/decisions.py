"""Branches of every kind."""


async def drain(queue, limit):
    taken = 0
    while taken < limit and not queue.empty():
        async for item in queue:
            match item:
                case None:
                    return taken
                case str() | bytes():
                    taken += len(item)
                case _:
                    taken += 1
    return taken if taken else None


def nested(value):
    class Local:
        def method(self):
            return lambda: value or 0 or None

    try:
        return Local().method()()
    except (TypeError, ValueError):
        return None
