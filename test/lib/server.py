"""A private PostgreSQL cluster for a test: made in a directory of its own, crashed and restarted at will.

Runs as the caller, or, as PostgreSQL refuses to be root's, as postgres in a subdirectory that belongs to it.
"""
import os
import re
import shutil
import signal
import subprocess
import time

from libpq import Connection, ConnectionLost

SETTINGS = """
listen_addresses = ''
shared_preload_libraries = 'ecinsight'
fsync = off
max_connections = 40
max_prepared_transactions = 20
max_worker_processes = 12
max_locks_per_transaction = 256
allow_in_place_tablespaces = on
autovacuum_naptime = '1s'
max_wal_size = '256MB'
log_line_prefix = '%m [%p] %a %x '
restart_after_crash = on
deadlock_timeout = '10ms'
"""

SERVER_USER = "postgres"


class Server:
    def __init__(self, bindir, directory, settings="", port=5999):
        directory = os.path.abspath(directory)
        os.makedirs(directory, exist_ok=True)
        self.user = {}
        if os.geteuid() == 0:
            directory = self._give_away(directory)
        self.bindir, self.directory = bindir, directory
        self.data = os.path.join(directory, "data")
        self.log = os.path.join(directory, "server.log")
        self.port = port
        shutil.rmtree(self.data, ignore_errors=True)
        self._run([self._tool("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-N", "--data-checksums",
                   "--encoding=UTF8", "--locale=C.UTF-8"], check=True)
        with open(os.path.join(self.data, "postgresql.conf"), "a", encoding="utf-8") as conf:
            conf.write(SETTINGS + "unix_socket_directories = '%s'\nport = %d\n%s\n" % (directory, port, settings))
        self.start()

    def _give_away(self, directory):
        """A subdirectory for the user that the server runs as; others may pass through to it."""
        self.user = {"user": SERVER_USER, "group": SERVER_USER, "extra_groups": []}
        os.chmod(directory, os.stat(directory).st_mode | 0o011)
        own = os.path.join(directory, "server")
        os.makedirs(own, exist_ok=True)
        shutil.chown(own, SERVER_USER, SERVER_USER)
        return own

    def _run(self, command, **more):
        return subprocess.run(command, cwd=self.directory, stdout=subprocess.DEVNULL, **self.user, **more)

    def _tool(self, name):
        return os.path.join(self.bindir, name) if self.bindir else name

    def _ctl(self, *arguments):
        return self._run([self._tool("pg_ctl"), "-D", self.data, "-w", "-t", "120", *arguments],
                         stderr=subprocess.DEVNULL, check=False).returncode

    def start(self):
        if self._ctl("-l", self.log, "start") != 0:
            raise RuntimeError("the server doesn't start, see " + self.log)

    def stop(self, mode="fast"):
        if os.path.exists(os.path.join(self.data, "postmaster.pid")):
            self._ctl("-m", mode, "stop")

    def crash(self):
        """Stop without a checkpoint and recover."""
        self.stop("immediate")
        self._recover()

    def _recover(self):
        while self._ctl("-l", self.log, "start") != 0:
            if not self._remove_left_over():
                raise RuntimeError("the server doesn't start, see " + self.log)

    def _remove_left_over(self):
        """PostgreSQL's own fault, with any access method: a rolled back TRUNCATE of an unlogged table removes the new init
        fork at once and leaves an empty file, the main fork, until the next checkpoint.  If there is a crash before the
        end of the transaction has reached the disk, recovery makes the init fork again, and fails as it finds the file."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            found = re.findall(r'FATAL:  could not create file "([^"]+)": File exists', log.read()[-4000:])
        path = os.path.join(self.data, found[-1]) if found else ""
        if not found or not os.path.exists(path + "_init") or not os.path.exists(path) or os.path.getsize(path) > 0:
            return False
        os.remove(path)
        return True

    def kill_backend(self, pid):
        """kill -9: the postmaster restarts everything; returns when connections are accepted again."""
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.3)
        try:
            self.wait_ready()
        except ConnectionLost:
            self._recover()

    def wait_ready(self, seconds=60):
        end = time.monotonic() + seconds
        while True:
            try:
                connection = self.connect("postgres")
                connection.close()
                return
            except ConnectionLost:
                if time.monotonic() > end:
                    raise
                time.sleep(0.1)

    def connect(self, database="postgres"):
        return Connection("host=%s port=%d user=postgres dbname=%s application_name=fuzz" % (self.directory, self.port, database))

    def log_size(self):
        return os.path.getsize(self.log)

    def crashes_since(self, position):
        """Lines of the log behind the position that tell of crashes."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            log.seek(position)
            return [line.rstrip() for line in log
                    if "TRAP:" in line or "was terminated by signal" in line or "PANIC" in line or "inconsistent page" in line]
