"""The service `database` on a real PostgreSQL: made, kept alive through what happens to it, saved
and put back, and the state of jsorc itself in it."""

import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import tempfile
from pathlib import Path

import pytest
from disks import fill, small_disk
from faults import Steady
from placement import crash
from postgres import PROGRAMS, query
from programs import Daemon, free_port, wait_until
from test_services import IMPATIENT, QUICK, info, keep_alive, wait_for

WAIT_S = 60
EXPECTED = "service failed|does not run; the last good one|the state cannot be reached"


@pytest.fixture(scope="session")
def made():
    """The folder of a database that a daemon has made, without fsync: tests do not wait for the
    machine's power to fail."""
    place = Path(tempfile.mkdtemp(prefix="jsorc-made."))
    place.chmod(0o711)
    daemon = Daemon(place / "daemon")
    try:
        daemon.start()
        keep_alive(daemon, "database")
        sql(daemon, "ALTER SYSTEM SET fsync = off")
        assert daemon.stop() == 0
        yield folder(daemon)
    finally:
        daemon.kill()
        shutil.rmtree(place)


@pytest.fixture
def start(serve_open, made):
    """start(*sources, fresh=False) -> a daemon with that database, or without any in its folder."""

    def start_one(*sources, options=QUICK, fresh=False, start=True):
        daemon = serve_open(*sources, options=options, start=False)
        daemon.expect_log(EXPECTED)
        if not fresh:
            folder(daemon).parent.mkdir(parents=True, mode=0o711)
            subprocess.run(["cp", "-a", made, folder(daemon)], check=True)
        if start:
            daemon.start()
        return daemon

    return start_one


def folder(daemon):
    return daemon.state / "services" / "database"


def method(daemon, name, **kwargs):
    return daemon.op("service_call", svc="database", attrs=[{"attr": name, "kwargs": kwargs}])


def sql(daemon, text, **kwargs):
    return query(method(daemon, "url", **kwargs), text)


def make_rows(daemon):
    sql(daemon, "CREATE TABLE kept (n int); INSERT INTO kept SELECT generate_series(1, 1000)")


def rows(daemon):
    return sql(daemon, "SELECT count(*), sum(n) FROM kept")


WHOLE = "1000|500500"


def answers(daemon):
    try:
        return sql(daemon, "SELECT 1") == "1"
    except (AssertionError, TypeError):
        return False


# ---- made and kept alive


def test_it_is_made_once_for_its_own_account_with_a_secret(start):
    daemon = start(fresh=True)
    assert info(daemon, "jaseci-db")["provider"] == "none"
    now = keep_alive(daemon, "jaseci-db")
    assert (now["provider"], now["error"]) == ("process", None)
    status = Path(f"/proc/{now['pid']}/status").read_text()
    assert "\nUid:\t0" not in status, "PostgreSQL as root"
    for name in ("password", "pgpass"):
        assert stat.S_IMODE((folder(daemon) / name).stat().st_mode) == 0o600
    assert not (folder(daemon) / "first-password").exists()
    secret = (folder(daemon) / "password").read_text()
    assert len(secret) == 32

    assert sql(daemon, "SELECT rolname, left(rolpassword, 14) FROM pg_authid "
                       "WHERE rolpassword IS NOT NULL") == "jsorc|SCRAM-SHA-256$"
    assert sql(daemon, "SELECT DISTINCT auth_method FROM pg_hba_file_rules") == "scram-sha-256"
    assert sql(daemon, "SELECT current_setting('listen_addresses'), "
                       "current_setting('data_checksums')") == "|on"
    with pytest.raises(AssertionError, match="password authentication failed"):
        query(method(daemon, "url") + "&password=wrong", "SELECT 1")
    shown = json.dumps([info(daemon, "database"), daemon.op("jsorc_status"),
                        daemon.op("service_list"), method(daemon, "url")])
    assert secret not in shown + daemon.log_text() + daemon.worker_log("service-database")

    make_rows(daemon)
    assert daemon.stop() == 0
    assert "database system is shut down" in daemon.worker_log("service-database")
    assert not Path(f"/proc/{now['pid']}").exists()
    daemon.start()
    wait_for(daemon, "database")
    assert rows(daemon) == WHOLE
    assert "not properly shut down" not in daemon.worker_log("service-database")


def test_killed_or_frozen_it_comes_back_with_its_data_and_no_call_waits(start, witness):
    daemon = start(witness, options=IMPATIENT)
    daemon.expect_log("service failed")
    keep_alive(daemon, "database")
    make_rows(daemon)
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        pid = wait_for(daemon, "database")["pid"]
        with Steady(daemon):
            os.kill(pid, number)
            wait_until(lambda pid=pid: (now := info(daemon, "database"))["pid"] not in (0, pid) and
                       now["state"] == "RUNNING", WAIT_S, f"another database after {number}")
        wait_until(lambda: answers(daemon), WAIT_S, "an answer")
        assert rows(daemon) == WHOLE
    pid = wait_for(daemon, "database")["pid"]
    crash(daemon)
    assert wait_for(daemon, "database")["pid"] == pid, "it outlives the daemon"
    assert rows(daemon) == WHOLE


def test_a_port_that_is_taken_is_told_and_tried_again_until_it_is_free(start):
    daemon = start()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        answer = daemon.op("service_config_set", name="database",
                           config={"automated": True, "listen_port": port})
        assert answer["error"] == f"port {port} of 127.0.0.1 is taken by another program"
    wait_for(daemon, "database", error=None)
    password = (folder(daemon) / "password").read_text()
    assert query(f"postgresql://jsorc:{password}@127.0.0.1:{port}/postgres", "SELECT 1") == "1"


def test_a_password_that_is_not_its_own_is_told_until_it_is_right_again(start):
    daemon = start()
    pid = keep_alive(daemon, "database")["pid"]
    path = folder(daemon) / "password"
    secret = path.read_text()
    path.write_text("0" * 32)
    now = wait_for(daemon, "database", "FAILED")
    assert "password authentication failed" in now["error"] and now["pid"] == pid
    path.write_text(secret)
    assert wait_for(daemon, "database", error=None)["pid"] == pid, "it was never started anew"
    answer = daemon.op("service_config_set", name="database",
                       config={"automated": True, "user": "other"})
    assert "its data were made for the role 'jsorc'" in answer["response"], answer
    assert wait_for(daemon, "database")["config"]["user"] is None


def test_data_of_another_major_version_are_left_alone_and_told(start):
    daemon = start()
    keep_alive(daemon, "database")
    make_rows(daemon)
    assert daemon.op("service_config_set", name="database",
                     config={"enabled": False})["state"] == "NOT_STARTED"
    version = folder(daemon) / "data" / "PG_VERSION"
    own = version.read_text()
    version.write_text("11\n")
    answer = daemon.op("service_config_set", name="database",
                       config={"automated": True, "shared_buffers_mb": 16})
    reason = json.dumps(answer)
    assert "the data are of PostgreSQL 11" in reason and "install postgresql-11" in reason, answer
    version.write_text(own)
    wait_for(daemon, "database")
    assert rows(daemon) == WHOLE


def test_a_program_that_is_not_there_and_a_role_that_cannot_be_are_told(start):
    daemon = start(fresh=True)
    answer = daemon.op("service_config_set", name="database",
                       config={"automated": True, "programs": "/nonexistent"})
    assert answer["state"] == "FAILED"
    assert answer["error"] == \
        "no PostgreSQL server is installed in '/nonexistent' (package postgresql)"
    answer = daemon.op("service_config_set", name="database",
                       config={"automated": True, "user": "O'Brien"})
    assert answer["error"] == "'user' must be of small letters, digits and _, not 'O'Brien'"
    assert not (folder(daemon) / "data").exists()
    answer = daemon.op("service_config_set", name="database", config={"programs": "bin"})
    assert "'programs' must be the path of a folder" in answer["response"]


def test_an_account_that_cannot_pass_through_is_told_where(start):
    daemon = start(fresh=True, start=False)
    closed = daemon.folder / "closed"
    closed.mkdir(mode=0o700, parents=True)
    daemon.state = closed / "state"
    daemon.socket = daemon.state / "run" / "jsorc.sock"
    daemon.start()
    answer = daemon.op("service_config_set", name="database", config={"automated": True})
    if os.geteuid() == 0:  # else the database has the daemon's own account, whose folder it is
        assert answer["state"] == "FAILED"
        assert f"may not pass through '{closed}'" in answer["error"]
        closed.chmod(0o711)
    wait_for(daemon, "database", error=None)


@pytest.fixture
def on_small_disk(serve_open):
    daemon = serve_open(options=QUICK, start=False)
    with small_disk(daemon.folder / "disk", "120m", "0711") as disk:
        daemon.state = disk / "state"
        daemon.socket = daemon.state / "run" / "jsorc.sock"
        daemon.expect_log(EXPECTED)
        yield daemon
        if daemon.process.poll() is None:
            daemon.stop()


def test_a_full_disk_is_told_and_over_once_there_is_room(on_small_disk):
    daemon = on_small_disk
    daemon.start()
    pid = keep_alive(daemon, "database", shared_buffers_mb=16)["pid"]
    make_rows(daemon)
    full = daemon.state.parent / "full"
    fill(full)
    now = wait_for(daemon, "database", "FAILED")
    assert "its disk is full: 0 MiB are left" in now["error"] and now["pid"] == pid
    with pytest.raises(AssertionError, match="No space left|server closed|Connection|FATAL"):
        sql_url = f"postgresql://jsorc@/postgres?host={folder(daemon)}/run&passfile=" \
                  f"{folder(daemon)}/pgpass"
        query(sql_url, "CREATE TABLE big AS SELECT repeat('x', 1000) FROM "
                       "generate_series(1, 100000)")
    full.unlink()
    wait_until(lambda: info(daemon, "database")["state"] == "RUNNING" and answers(daemon), WAIT_S,
               "the database")
    assert rows(daemon) == WHOLE


def test_somebody_elses_server_is_asked_saved_and_not_started(start):
    there, here = start(), start(fresh=True)
    port = free_port()
    keep_alive(there, "database", listen_port=port)
    make_rows(there)
    password = (folder(there) / "password").read_text()
    address = {"host": "127.0.0.1", "port": port, "user": "jsorc"}
    answer = here.op("service_config_set", name="database",
                     config={**address, "automated": True, "password": password})
    assert (answer["state"], answer["provider"], answer["pid"]) == ("RUNNING", "address", 0)
    assert answer["config"]["password"] == "***"
    assert rows(here) == WHOLE
    saved = here.op("service_backup", name="database")
    assert [one["name"] for one in saved["databases"]] == ["postgres"]

    answer = here.op("service_config_set", name="database", config={**address, "password": "no"})
    assert answer["success"] is False and "password authentication failed" in answer["response"]
    assert wait_for(here, "database")["state"] == "RUNNING"  # with the right one again

    there.op("service_config_set", name="database", config={"enabled": False})
    assert "Connection refused" in wait_for(here, "database", "FAILED")["error"]
    keep_alive(there, "database", listen_port=port)
    wait_for(here, "database", error=None)
    assert not (folder(here) / "data").exists()


# ---- saved and put back


def test_a_backup_brings_everything_back_and_keeps_what_was_there(start):
    daemon = start()
    keep_alive(daemon, "database")
    assert daemon.op("service_backups") == []
    assert daemon.op("service_restore")["response"] == "there is no backup yet"
    make_rows(daemon)
    sql(daemon, 'CREATE DATABASE "odd ""name"""')
    sql(daemon, "CREATE TABLE there (t text); INSERT INTO there VALUES ('ä')", db='odd "name"')
    shown = daemon.cli("service", "backup", "database", "-o", "json")
    assert shown.returncode == 0, shown.stderr
    saved = json.loads(shown.stdout)
    assert [one["name"] for one in saved["databases"]] == ['odd "name"', "postgres"]
    assert saved["reason"] == "asked" and all(one["bytes"] > 0 for one in saved["databases"])
    place = folder(daemon) / "backups" / saved["name"]
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (place, place.parent))

    sql(daemon, "DROP TABLE kept; CREATE TABLE later (n int)")
    sql(daemon, "DELETE FROM there", db='odd "name"')
    answer = daemon.op("service_restore", backup=saved["name"])
    assert answer["backup"] == saved["name"], answer
    assert rows(daemon) == WHOLE
    assert sql(daemon, "SELECT t FROM there", db='odd "name"') == "ä"
    assert sql(daemon, "SELECT to_regclass('later')") == ""
    kept = {one["name"]: one["kept_as"] for one in answer["databases"]}["postgres"]
    assert sql(daemon, f"SELECT datallowconn FROM pg_database WHERE datname = '{kept}'") == "f"
    sql(daemon, f'ALTER DATABASE "{kept}" ALLOW_CONNECTIONS true')
    assert sql(daemon, "SELECT to_regclass('later')", db=kept) == "later"

    # One that is damaged changes nothing.
    dump = place / "2.dump"
    dump.write_bytes(dump.read_bytes()[:-200])
    sql(daemon, "DELETE FROM kept WHERE n > 1")
    answer = daemon.op("service_restore", backup=saved["name"])
    assert "database 'postgres': pg_restore: error" in answer["response"], answer
    assert rows(daemon) == "1|1"
    assert sql(daemon, "SELECT count(*) FROM pg_database WHERE datname ~ '^jsorc_restore'") == "0"
    assert daemon.op("service_restore", backup="x")["response"] == "there is no backup 'x'"


def test_the_schedule_makes_backups_and_keeps_so_many(start):
    daemon = start(options=("--service-interval-s", "0.05", "--service-timeout-s", "5",
                            "--stop-grace-s", "5"))
    daemon.expect_log("upkeep of a service")
    keep_alive(daemon, "database", backup_interval_h=0.0001, backups_max=2)
    # While one of the schedule is under way it is refused.
    asked = wait_until(lambda: (answer := daemon.op("service_backup")).get("name") and answer,
                       WAIT_S, "a backup of ours")
    first = wait_until(lambda: [one["name"] for one in daemon.op("service_backups")
                                if one["reason"] == "schedule"][-1:], WAIT_S, "a backup")

    def gone():
        names = [one["name"] for one in daemon.op("service_backups")]
        return first[0] not in names and names

    left = wait_until(gone, WAIT_S, "the end of the oldest")
    assert asked["name"] in left, "only those of the schedule are deleted"
    assert sum(name.endswith("-schedule") for name in left) <= 3
    assert info(daemon, "database")["upkeep_error"] is None


def test_data_that_are_lost_are_told_and_made_anew_only_when_asked(start):
    daemon = start()
    keep_alive(daemon, "database")
    make_rows(daemon)
    sql(daemon, "CREATE ROLE reader PASSWORD 'x' LOGIN; GRANT SELECT ON kept TO reader")
    assert "name" in daemon.op("service_backup", name="database")
    daemon.op("service_config_set", name="database", config={"enabled": False})
    shutil.move(folder(daemon) / "data", folder(daemon) / "elsewhere")

    answer = daemon.op("service_config_set", name="database",
                       config={"automated": True, "shared_buffers_mb": 32})
    assert "are gone from" in json.dumps(answer), answer
    assert not (folder(daemon) / "data").exists()

    answer = keep_alive(daemon, "database", regenerate=True)
    assert rows(daemon) == WHOLE, answer
    assert sql(daemon, "SELECT has_table_privilege('reader', 'kept', 'SELECT')") == "t"
    assert sql(daemon, "SELECT count(*) FROM pg_database WHERE datname ~ '_before_'") == "0"
    assert not (folder(daemon) / "restore").exists()


# ---- jsorc's own state in it

STATE = ("--state-url", "database")


def test_the_state_lies_in_it_and_outlives_what_happens_to_it(start, witness):
    daemon = start(witness, options=(*QUICK, *STATE))
    daemon.expect_log("was not saved|the state is taken in|is taken in later")
    now = wait_for(daemon, "database")
    assert not (daemon.state / "jsorc.db").exists()
    assert daemon.op("jsorc_status")["state"]["error"] is None
    daemon.op("config_set", name="MINE", value="1", do_check=False)
    assert sql(daemon, "SELECT text FROM jsorc.configs WHERE name = 'MINE'", db="jsorc") == "1"
    answer = daemon.op("service_config_set", name="database", config={"enabled": False})
    assert "holds jsorc's own state" in answer["response"]
    saved = daemon.op("service_backup", name="database")
    daemon.op("config_set", name="MINE", value="2", do_check=False)

    with Steady(daemon):
        os.kill(now["pid"], signal.SIGKILL)
        wait_until(lambda: info(daemon, "database")["pid"] not in (0, now["pid"]), WAIT_S,
                   "another database")
        wait_until(lambda: daemon.op("jsorc_status")["state"]["error"] is None, WAIT_S, "the state")
        assert daemon.op("config_get", name="MINE", do_check=False) == "2"

        # The state itself is put back while it is in use.
        assert daemon.op("service_restore", backup=saved["name"])["backup"] == saved["name"]
        wait_until(lambda: daemon.op("config_get", name="MINE", do_check=False) == "1", WAIT_S,
                   "the restored state")
        daemon.op("config_set", name="MINE", value="3", do_check=False)

    pid = wait_for(daemon, "database")["pid"]
    crash(daemon)
    assert wait_for(daemon, "database")["pid"] == pid
    assert daemon.op("config_get", name="MINE", do_check=False) == "3"

    assert daemon.stop() == 0
    assert not Path(f"/proc/{pid}").exists()
    assert "not properly shut down" not in \
        daemon.worker_log("service-database").rpartition("is shut down")[0].rpartition(
            "ready to accept")[2]
    daemon.start()
    assert daemon.op("config_get", name="MINE", do_check=False) == "3"


def test_without_its_database_the_daemon_says_why_it_does_not_start(start):
    daemon = start(options=(*QUICK, *STATE))
    assert daemon.stop() == 0
    version = folder(daemon) / "data" / "PG_VERSION"
    own = version.read_text()
    version.write_text("11\n")
    daemon.start(wait=False)
    assert daemon.process.wait(WAIT_S) == 1
    assert "the service 'database', which holds the state, does not run: the data are of " \
           "PostgreSQL 11" in daemon.log_text()
    version.write_text(own)
    daemon.start()
    wait_for(daemon, "database")


def test_a_state_of_an_older_jsorc_is_saved_before_its_tables_are_changed(start):
    daemon = start(options=(*QUICK, *STATE))
    wait_for(daemon, "database")
    sql(daemon, "UPDATE jsorc.version SET number = 1", db="jsorc")
    assert daemon.stop() == 0
    daemon.start(wait=False)  # the tables are this version's: it fails once they are touched
    assert daemon.process.wait(WAIT_S) == 1, daemon.log_text()
    assert "the state is saved before its tables are changed" in daemon.log_text()
    saved, = (folder(daemon) / "backups").glob("*-before-new-schema")
    assert [one["name"] for one in json.loads((saved / "backup.json").read_text())["databases"]] \
        == ["jsorc", "postgres"]


def test_a_state_moves_from_the_file_into_it(start):
    daemon = start()
    daemon.op("config_set", name="MINE", value="moved", do_check=False)
    assert daemon.stop() == 0
    moved = daemon.cli("state", "migrate", "--to", "database", "--state", daemon.state)
    assert moved.returncode == 0, moved.stderr
    assert "the same in both" in moved.stdout
    assert "password" not in moved.stdout + moved.stderr
    daemon.options = (*daemon.options, *STATE)
    daemon.start()
    assert daemon.op("config_get", name="MINE", do_check=False) == "moved"


assert PROGRAMS, "no PostgreSQL server is installed: dev/setup test"
