"""What is generated from the table of commands, in the programs that read it: completion in bash,
zsh and fish, man pages in groff and mandoc; and our own shell on a terminal."""

import os
import pty
import re
import select
import shutil
import subprocess
import time

import pytest
from programs import BUILD, JSORC
from recorder import Answer, Recorder, clean_environment, run

SCREEN_SECONDS_MAX = 20


@pytest.fixture
def recorder(tmp_path):
    recorder = Recorder(tmp_path / "state")
    recorder.answers["/js_admin/actions_list"] = Answer(["text.split", "text.count"])
    recorder.answers["/js_admin/jsorc_actions_status"] = Answer(
        {"success": True, "action_status": {"text": {"mode": "module"}, "ocr": {"mode": None}}})
    yield recorder
    recorder.close()


@pytest.fixture
def env(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "folder").mkdir()
    (tmp_path / "notes.txt").write_text("")
    return clean_environment(
        tmp_path / "home", JSORC_STATE=str(tmp_path / "state"), TERM="xterm", LC_ALL="C.UTF-8",
        PATH=f"{JSORC.parent}:{os.environ['PATH']}")


class Terminal:
    """A program on a terminal of its own; what it writes gathers in .screen."""

    def __init__(self, argv, env, cwd):
        self.screen = ""
        self.pid, self.fd = pty.fork()  # the child gets the terminal as its own
        if self.pid == 0:
            os.chdir(cwd)
            os.execvpe(argv[0], argv, env)

    def send(self, text):
        os.write(self.fd, text.encode())

    def expect(self, pattern):
        """Waits until the screen, from here on, matches; returns the match."""
        end = time.monotonic() + SCREEN_SECONDS_MAX
        while True:
            found = re.search(pattern, self.screen)
            if found:
                self.screen = self.screen[found.end():]
                return found
            left = end - time.monotonic()
            assert left > 0, f"{pattern!r} did not come; the screen: {self.screen!r}"
            if select.select([self.fd], [], [], left)[0]:
                try:
                    data = os.read(self.fd, 65536)
                except OSError:
                    data = b""
                assert data, f"ended before {pattern!r}; the screen: {self.screen!r}"
                self.screen += data.decode(errors="replace")

    def close(self):
        os.close(self.fd)
        _, status = os.waitpid(self.pid, 0)
        return status


@pytest.fixture
def terminal(env, tmp_path):
    """terminal(*argv) -> Terminal"""
    opened = []

    def start(*argv, **more):
        opened.append(Terminal([str(word) for word in argv], {**env, **more}, tmp_path))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


# ---- what may stand next

LINES = [
    (["statu"], {"status"}),
    (["actions", "lo"], {"load"}),
    (["actions", "load", ""], {"local", "module", "remote", "text", "ocr"}),
    (["actions", "load", "text", "-mode", ""], {"module", "local", "remote", "auto"}),
    (["actions", "load", "text", "-mo"], {"-mode"}),
    (["actions", "load", "text", "--mo"], {"--mode"}),
    (["jsorc", "actions", "sta"], {"status"}),
    (["call", "text."], {"text.split", "text.count"}),
    (["completion", ""], {"bash", "zsh", "fish"}),
    (["-o", ""], {"json", "table"}),
    (["-o", "json", "ca"], {"call"}),
    (["help", "bench", ""], {"overhead"}),
    (["config", "get", "X", "-do_check", ""], {"true", "false"}),
    (["nothing", "of", "the", "kind", ""], set()),
]


@pytest.mark.sanitize
@pytest.mark.parametrize(("words", "wanted"), LINES)
def test_program_tells_what_may_stand_next(env, recorder, words, wanted):
    done = run("__complete", *words, env=env)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    assert {line.split("\t")[0] for line in lines[:-1]} == wanted
    assert lines[-1].startswith(":")


@pytest.mark.sanitize
def test_names_of_a_daemon_that_does_not_run_are_left_out(env):
    done = run("__complete", "call", "", env=env)
    assert (done.stdout, done.stderr, done.returncode) == (":\n", "", 0)


@pytest.mark.sanitize
def test_names_come_from_the_daemon_that_the_line_means(env, recorder, tmp_path):
    words = ["--state", str(tmp_path / "state"), "call", "text.s"]
    done = run("__complete", *words, env={**env, "JSORC_STATE": "/nonexistent"})
    assert done.stdout.startswith("text.split\t")


def bash_completes(env, cwd, words):
    script = (f'source <("{JSORC}" completion bash); COMP_WORDS=("$@"); '
              'COMP_CWORD=$(($# - 1)); _jsorc 2>&1; printf "%s\\n" "${COMPREPLY[@]}"')
    done = subprocess.run(["bash", "--norc", "-c", script, "bash", "jsorc", *words], env=env,
                          cwd=cwd, capture_output=True, text=True, timeout=60,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def fish_completes(env, cwd, words):
    line = " ".join(["jsorc", *words])
    script = f'source "{JSORC.parent}/man/jsorc.fish"; complete -C "{line}"'
    done = subprocess.run(["fish", "--no-config", "-c", script], env=env, cwd=cwd,
                          capture_output=True, text=True, timeout=60, stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    return {row.split("\t")[0] for row in done.stdout.splitlines()}


SHELLS = {"bash": bash_completes, "fish": fish_completes}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(("words", "wanted"), LINES[:-1])
def test_shell_completes(env, recorder, tmp_path, shell, words, wanted):
    if not shutil.which(shell):
        pytest.fail(f"{shell} is not installed: dev/setup test")
    found = SHELLS[shell](env, tmp_path, words)
    if words == ["-o", ""]:
        wanted = wanted | {"notes.txt", "folder", "folder/", "home", "home/", "state", "state/"}
        assert {"json", "table", "notes.txt"} <= found <= wanted
    else:
        assert found == wanted


@pytest.mark.parametrize("shell", SHELLS)
def test_shell_completes_files_and_folders(env, recorder, tmp_path, shell):
    found = SHELLS[shell](env, tmp_path, ["script", "no"])
    assert found == {"notes.txt"}
    found = SHELLS[shell](env, tmp_path, ["init", "fo"])
    assert {name.rstrip("/") for name in found} == {"folder"}


def test_bash_completes_at_its_prompt(terminal, recorder):
    bash = terminal("bash", "--norc", "-i")
    bash.send("PS1='ready> '; source <(jsorc completion bash); echo lo''aded\n")
    bash.expect(r"loaded")
    bash.expect(r"ready> ")
    bash.send("jsorc call text.s\t")
    bash.expect(r"text\.split ")
    bash.send("\x03")


def test_zsh_completes_at_its_prompt(terminal, recorder):
    zsh = terminal("zsh", "-f", "-i")
    zsh.send("PS1='ready> '; zstyle ':completion:*' verbose no; autoload -U compinit; "
             "compinit -D; source <(jsorc completion zsh); echo lo''aded\n")
    zsh.expect(r"loaded")
    zsh.expect(r"ready> ")
    zsh.send("jsorc call text.s\t")
    zsh.expect(r"text\.s[^a-z]*plit")
    zsh.send("\x15jsorc act\t")
    zsh.expect(r"act[^a-z]*ion")
    zsh.send("\x15jsorc actions load text -mode re\t")
    zsh.expect(r"re[^a-z]*mote")
    zsh.send("\x15jsorc script no\t")
    zsh.expect(r"no[^a-z]*tes\.txt")
    zsh.send("\x15exit\n")


def test_zsh_finds_the_installed_file(terminal, tmp_path, recorder):
    functions = tmp_path / "functions"
    functions.mkdir()
    (functions / "_jsorc").write_text((BUILD / "man" / "_jsorc").read_text())
    zsh = terminal("zsh", "-f", "-i")
    zsh.send(f"PS1='ready> '; fpath=({functions} $fpath); autoload -U compinit; compinit -D; "
             "echo lo''aded\n")
    zsh.expect(r"loaded")
    zsh.expect(r"ready> ")
    zsh.send("jsorc stat\t")
    zsh.expect(r"stat[^a-z]*us")
    zsh.send("\x15exit\n")


# ---- man pages


def pages():
    return sorted((BUILD / "man" / "man1").glob("*.1"))


def test_man_pages_give_no_warning():
    assert len(pages()) > 20
    for page in pages():
        done = subprocess.run(["groff", "-man", "-ww", "-Tutf8", "-z", page], capture_output=True,
                              text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), page.name
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", page], capture_output=True,
                              text=True, timeout=60)
        assert (done.returncode, done.stdout) == (0, ""), page.name


def test_man_pages_can_be_read_and_copied_from():
    page = BUILD / "man" / "man1" / "jsorc-call.1"
    done = subprocess.run(["groff", "-man", "-Tutf8", "-P-c", page], capture_output=True,
                          text=True, timeout=60)
    text = re.sub(r".\x08", "", done.stdout)
    assert "jsorc call text.split --text 'one two' --n 5" in text
    assert "--NAME[:FORM]" in text


def test_man_pages_are_those_of_the_commands():
    names = {page.stem for page in pages()}
    listed = re.findall(r"^\.BR (jsorc\S*) \(1\)", (BUILD / "man" / "man1" / "jsorc.1").read_text(),
                        re.MULTILINE)
    assert len(listed) == len(set(listed))  # no two operations have the same words
    assert {name.replace("\\-", "-") for name in listed} | {"jsorc"} == names


# ---- our own shell


@pytest.mark.sanitize
def test_shell_on_a_terminal(terminal, recorder, tmp_path):
    shell = terminal(JSORC)
    shell.expect(r"jsorc > ")
    shell.send("jsorc actions load use_enc -mode module\n")
    shell.expect(r'"success": true')
    assert recorder.last().json() == {"name": "use_enc", "mode": "module"}
    shell.expect(r"jsorc > ")
    shell.send("user create ann@example.com -password hidden-one\n")
    shell.expect(r'"success": true')
    shell.expect(r"jsorc > ")
    shell.send("nonsense\n")
    shell.expect(r"unknown command 'nonsense'")
    shell.expect(r"jsorc > ")
    shell.send("exit\n")
    status = os.waitstatus_to_exitcode(os.waitpid(shell.pid, 0)[1])
    shell.close = lambda: os.close(shell.fd)
    assert status == 2  # of the last command
    history = tmp_path / "state" / "history"
    assert "actions\\040load" in history.read_text() or "actions load" in history.read_text()
    assert "hidden-one" not in history.read_text()
    assert history.stat().st_mode & 0o077 == 0


def test_shell_completes_by_itself(terminal, recorder):
    shell = terminal(JSORC)
    shell.expect(r"jsorc > ")
    shell.send("call text.s\t")
    shell.expect(r"text\.s[^a-z]*plit")
    shell.send("\n")
    shell.expect(r"success|true")
    shell.expect(r"jsorc > ")
    shell.send("exit\n")


def test_shell_tells_by_its_prompt_where_commands_go(terminal, recorder):
    shell = terminal(JSORC, "--url", recorder.url)
    shell.expect(r"@jsorc > ")
    shell.send("exit\n")


def test_password_is_not_shown(terminal, recorder):
    recorder.answers["/user/token/"] = Answer({"token": "t0ken"})
    login = terminal(JSORC, "login", recorder.url, "-u", "ann@example.com")
    login.expect(r"Password: ")
    login.send("hidden-one\n")
    login.expect(r"Login successful")
    assert "hidden-one" not in login.screen
    assert recorder.last().body.endswith(b"password=hidden-one")


def test_tables_on_a_terminal(terminal, recorder):
    jsorc = terminal(JSORC, "actions", "list")
    jsorc.expect(r"value\S*\r\ntext\.split\r\ntext\.count\r\n")
    plain = terminal(JSORC, "actions", "list", NO_COLOR="1")
    plain.expect(r"^value\r\n")
