"""The few functions of libpq that the tests need, by ctypes: results as text, asynchronous queries, COPY.

Values stay text (None for NULL), so that what is compared is what the server printed.
"""
import ctypes
import select
import time

_pq = ctypes.CDLL("libpq.so.5")
_P = ctypes.c_void_p
_S = ctypes.c_char_p
_I = ctypes.c_int
for _name, _result, _arguments in (
        ("PQconnectdb", _P, [_S]), ("PQstatus", _I, [_P]), ("PQfinish", None, [_P]), ("PQsocket", _I, [_P]),
        ("PQerrorMessage", _S, [_P]), ("PQbackendPID", _I, [_P]), ("PQsendQuery", _I, [_P, _S]),
        ("PQconsumeInput", _I, [_P]), ("PQisBusy", _I, [_P]), ("PQgetResult", _P, [_P]),
        ("PQresultStatus", _I, [_P]), ("PQresultErrorField", _S, [_P, _I]), ("PQclear", None, [_P]),
        ("PQntuples", _I, [_P]), ("PQnfields", _I, [_P]), ("PQgetvalue", _S, [_P, _I, _I]),
        ("PQgetisnull", _I, [_P, _I, _I]), ("PQcmdStatus", _S, [_P]), ("PQtransactionStatus", _I, [_P]),
        ("PQputCopyData", _I, [_P, _S, _I]), ("PQputCopyEnd", _I, [_P, _S]),
        ("PQgetCopyData", _I, [_P, ctypes.POINTER(_P), _I]), ("PQfreemem", None, [_P]),
        ("PQsetNoticeProcessor", _P, [_P, _P, _P])):
    _function = getattr(_pq, _name)
    _function.restype = _result
    _function.argtypes = _arguments

_TUPLES, _COPY_OUT, _COPY_IN, _FATAL = 2, 3, 4, 7
_QUIET = ctypes.CFUNCTYPE(None, _P, _S)(lambda _arg, _message: None)

IDLE, ACTIVE, IN_TRANSACTION, IN_ERROR, UNKNOWN = range(5)


class ConnectionLost(Exception):
    """The server closed the connection, or can't be reached."""


class Result:
    """Outcome of one query string: rows of its last result with rows, command tag, or the error."""

    def __init__(self):
        self.rows = None
        self.tag = ""
        self.code = None
        self.message = ""
        self.detail = ""

    @property
    def ok(self):
        return self.code is None


class Connection:
    def __init__(self, conninfo):
        self.handle = _pq.PQconnectdb(conninfo.encode())
        self.copy_data = None
        self.pending = None
        if _pq.PQstatus(self.handle) != 0:
            message = _pq.PQerrorMessage(self.handle).decode(errors="replace")
            _pq.PQfinish(self.handle)
            self.handle = None
            raise ConnectionLost(message)
        _pq.PQsetNoticeProcessor(self.handle, ctypes.cast(_QUIET, _P), None)
        self.pid = _pq.PQbackendPID(self.handle)

    def close(self):
        if self.handle:
            _pq.PQfinish(self.handle)
            self.handle = None

    def state(self):
        return _pq.PQtransactionStatus(self.handle)

    def _lost(self):
        raise ConnectionLost(_pq.PQerrorMessage(self.handle).decode(errors="replace").strip())

    def send(self, sql, copy_data=None):
        """Start a query; copy_data is what a COPY FROM STDIN in it is to get."""
        self.pending = Result()
        self.copy_data = copy_data
        if not _pq.PQsendQuery(self.handle, sql.encode()):
            self._lost()

    def wait(self, seconds):
        """The Result if the query ends within so many seconds, else None."""
        end = time.monotonic() + seconds
        while True:
            if not _pq.PQconsumeInput(self.handle):
                self._lost()
            while not _pq.PQisBusy(self.handle):
                raw = _pq.PQgetResult(self.handle)
                if not raw:
                    result, self.pending = self.pending, None
                    return result
                self._take(raw)
            left = end - time.monotonic()
            if left <= 0:
                return None
            select.select([_pq.PQsocket(self.handle)], [], [], left)

    def _take(self, raw):
        status = _pq.PQresultStatus(raw)
        result = self.pending
        if status == _FATAL:
            code = _pq.PQresultErrorField(raw, ord("C"))
            if code is None:
                _pq.PQclear(raw)
                self._lost()
            result.code = code.decode()
            result.message = _pq.PQresultErrorField(raw, ord("M")).decode(errors="replace")
            result.detail = (_pq.PQresultErrorField(raw, ord("D")) or b"").decode(errors="replace")
            if (_pq.PQresultErrorField(raw, ord("V")) or b"") in (b"FATAL", b"PANIC"):
                _pq.PQclear(raw)
                raise ConnectionLost("%s: %s" % (result.code, result.message))
        elif status == _TUPLES:
            columns = range(_pq.PQnfields(raw))
            result.rows = [tuple(None if _pq.PQgetisnull(raw, r, c) else _pq.PQgetvalue(raw, r, c).decode(errors="replace")
                                 for c in columns) for r in range(_pq.PQntuples(raw))]
        elif status == _COPY_IN:
            data = (self.copy_data or "").encode()
            _pq.PQputCopyData(self.handle, data, len(data))
            _pq.PQputCopyEnd(self.handle, None)
        elif status == _COPY_OUT:
            self._copy_out()
        if result.ok:
            result.tag = _pq.PQcmdStatus(raw).decode()
        _pq.PQclear(raw)

    def _copy_out(self):
        self.pending.rows = []
        buffer = _P()
        while (length := _pq.PQgetCopyData(self.handle, ctypes.byref(buffer), 0)) > 0:
            self.pending.rows.append((ctypes.string_at(buffer, length).decode(errors="replace"),))
            _pq.PQfreemem(buffer)

    def run(self, sql, copy_data=None, seconds=600):
        """Start a query and wait for its end."""
        self.send(sql, copy_data)
        result = self.wait(seconds)
        if result is None:
            raise ConnectionLost("no answer within %d s: %s" % (seconds, sql[:200]))
        return result

    def rows(self, sql):
        """Rows of a query that must not fail."""
        result = self.run(sql)
        if not result.ok:
            raise RuntimeError("%s: %s: %s" % (result.code, result.message, sql[:500]))
        return result.rows
