"""Makes a failing case smaller: applies parts of its operations again while the same kind of difference comes."""
import time

from twins import Difference, Stuck


def replay(twins, sessions, operations):
    """The Difference that the operations show, or None; and how many of them were applied."""
    twins.count = sessions
    applied = 0
    try:
        twins.begin()
        for operation in operations:
            applied += 1
            twins.apply(operation)
    except Difference as difference:
        return difference, applied
    except Stuck:
        pass
    return None, applied


def reduce(twins, sessions, operations, kind, seconds):
    """Fewer operations that still show a difference of this kind, as far as the time goes, and that difference."""
    end = time.monotonic() + seconds
    best, last = list(operations), None
    size = max(1, len(best) // 2)
    while size:
        start, shrunk = len(best), False
        while start > 0 and time.monotonic() < end:
            start = max(0, start - size)
            attempt = best[:start] + best[start + size:]
            difference, applied = replay(twins, sessions, attempt)
            if difference and difference.kind == kind:
                best, last, shrunk = attempt[:applied], difference, True
                start = min(start, len(best))
        if time.monotonic() >= end:
            break
        if size == 1 and not shrunk:
            break
        size = max(1, size // 2) if size > 1 else 1 if shrunk else 0
    return best, last


def script(operations):
    """The operations as text, one a line, to read and to try by hand."""
    lines = []
    for kind, session, sql, data in operations:
        head = "s%d" % session + ("" if kind == "sql" else " " + kind)
        lines.append("%-8s %s;" % (head, sql))
        if data:
            lines.append("         (data) " + repr(data[:2000]))
    return "\n".join(lines)
