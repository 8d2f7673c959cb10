"""android_demo/gradlew, which stands in for Gradle's wrapper: run by real shells against a server of tiny zips."""

import hashlib
import http.server
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import zipfile
from pathlib import Path

import pytest

DEMO = Path(__file__).parents[1] / "android_demo"
NAME = "gradle-9.9-bin"
# prints one argument a line, and ends with the code that it is asked for
GRADLE = '#!/bin/sh\nfor argument; do printf "<%s>\\n" "$argument"; done\nexit "${ASKED_CODE:-0}"\n'
SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
TOOLS = [
    *(
        "awk",
        "bash",
        "cat",
        "chmod",
        "curl",
        "dash",
        "df",
        "dirname",
        "find",
        "head",
        "md5sum",
        "mkdir",
        "mktemp",
        "mv",
    ),
    *("readlink", "rm", "sed", "sh", "sha256sum", "sleep", "tail", "tr", "unzip"),
]


def zip_of(path, *, program="gradle-9.9/bin/gradle"):
    """A Gradle of one file, without the mark that it can be executed."""
    with zipfile.ZipFile(path, "w") as out:
        out.writestr(program, GRADLE)
    return path.read_bytes()


class Server(http.server.ThreadingHTTPServer):
    """Serves what `files` holds, and counts; a file's name that is in `slow` comes in two halves, far apart."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.files, self.slow, self.asked = {}, set(), []
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.asked.append(name)
        data = self.server.files.get(name)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        half = len(data) // 2
        self.wfile.write(data[:half])
        if name in self.server.slow:
            self.wfile.flush()
            time.sleep(3)
        self.wfile.write(data[half:])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    """A server on this machine."""
    with Server() as found:
        yield found
        found.shutdown()


class Project:
    """A project with a copy of gradlew, and a home for Gradle whose path has blanks."""

    def __init__(self, folder, server):
        self.folder, self.server = folder / "a project", server
        self.home = folder / "home of gradle"
        self.tools = folder / "bin"
        wrapper = self.folder / "gradle" / "wrapper"
        wrapper.mkdir(parents=True)
        self.tools.mkdir()
        shutil.copy(DEMO / "gradlew", self.folder)
        self.properties = wrapper / "gradle-wrapper.properties"
        for tool in TOOLS:
            (self.tools / tool).symlink_to(shutil.which(tool))
        self.java("17.0.9")
        self.serve(zip_of(folder / "gradle.zip"))

    def java(self, version):
        """Put a JDK of this version in place, which does nothing but tell it."""
        program = self.tools / "java"
        program.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2024-01-01' >&2\n")
        program.chmod(0o755)

    def serve(self, data, *, sha256=None):
        """Let the server have these bytes, and the properties name them."""
        self.server.files[f"{NAME}.zip"] = data
        self.url = f"http://127.0.0.1:{self.server.server_port}/{NAME}.zip"
        self.write(self.url, sha256 or hashlib.sha256(data).hexdigest())

    def write(self, url, sha256):
        """The properties as Gradle writes them."""
        sha256_line = f"distributionSha256Sum={sha256}\n" if sha256 else ""
        self.properties.write_text(
            "# written by a test\ndistributionBase=GRADLE_USER_HOME\ndistributionPath=wrapper/dists\n"
            f"{sha256_line}distributionUrl={url.replace(':', chr(92) + ':')}\nnetworkTimeout=2000\n"
            "zipStoreBase=GRADLE_USER_HOME\nzipStorePath=wrapper/dists\n"
        )

    def command(self, shell, *arguments):
        return [shutil.which(shell), *(["sh"] if shell == "busybox" else []), self.folder / "gradlew", *arguments]

    def environment(self, **more):
        return {"PATH": str(self.tools), "GRADLE_USER_HOME": str(self.home), "LC_ALL": "C", **more}

    def run(self, *arguments, shell="dash", **environment):
        return subprocess.run(
            self.command(shell, *arguments),
            env=self.environment(**environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def place(self):
        """Where Gradle's own wrapper would keep this address."""
        return self.home / "wrapper" / "dists" / NAME / base36_md5(self.url)

    def left(self):
        """Every file below the home, relative to it."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*") if path.is_file())

    def refused(self, **environment):
        """The one line that a run ends with, after the one that says what is fetched."""
        done = self.run("build", **environment)
        assert done.returncode == 1, done
        assert done.stdout == ""
        lines = [line for line in done.stderr.splitlines() if not line.startswith("gradlew: fetching ")]
        assert len(lines) == 1, done.stderr
        assert lines[0].startswith("gradlew: ")
        return lines[0]


@pytest.fixture
def project(tmp_path, server):
    """A project whose Gradle is served on this machine."""
    return Project(tmp_path, server)


def base36_md5(text):
    """The folder's name, by Python's own integers."""
    rest, found = int(hashlib.md5(text.encode()).hexdigest(), 16), ""
    while rest:
        rest, digit = divmod(rest, 36)
        found = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + found
    return found


@pytest.mark.parametrize("shell", SHELLS)
def test_the_first_call_fetches_and_runs_and_the_second_only_runs(project, shell):
    first = project.run(":core:test", shell=shell)
    assert (first.returncode, first.stdout) == (0, "<:core:test>\n"), first.stderr
    assert first.stderr == f"gradlew: fetching {project.url}\n"
    second = project.run("help", shell=shell)
    assert (second.returncode, second.stdout, second.stderr) == (0, "<help>\n", "")
    assert project.server.asked == [f"{NAME}.zip"]


@pytest.mark.parametrize("shell", SHELLS)
def test_arguments_and_the_exit_code_pass_through_unchanged(project, shell):
    given = ["a b", "", "*", "$HOME", "it's", 'say "x"', "-Pbundle=/tmp/with blank/model.tflite", "back\\slash", "ä"]
    done = project.run(*given, shell=shell, ASKED_CODE="42")
    assert done.returncode == 42
    assert done.stdout == "".join(f"<{argument}>\n" for argument in given)


def test_gradle_is_kept_where_gradles_own_wrapper_looks_for_it(project):
    project.run()
    place = project.place.relative_to(project.home)
    assert project.left() == [f"{place}/{NAME}.zip.ok", f"{place}/gradle-9.9/bin/gradle"]
    assert len(list(project.place.parent.iterdir())) == 1, "no draft is left"


def test_the_folders_name_is_the_one_that_gradle_gives_it(project):
    # seen in public logs of Gradle's wrapper for this address
    url, known = "https://services.gradle.org/distributions/gradle-8.14.3-bin.zip", "cv11ve7ro1n3o1j4so8xd9n66"
    assert base36_md5(url) == known
    project.write(url, "")
    place = project.home / "wrapper" / "dists" / "gradle-8.14.3-bin" / known
    program = place / "gradle-8.14.3" / "bin" / "gradle"
    program.parent.mkdir(parents=True)
    program.write_text(GRADLE)
    program.chmod(0o755)
    (place / "gradle-8.14.3-bin.zip.ok").touch()
    assert project.run("found").stdout == "<found>\n"


def test_another_sum_is_refused_and_nothing_is_left(project):
    project.serve(project.server.files[f"{NAME}.zip"], sha256="0" * 64)
    assert re.search(r"was deleted: its SHA-256 is [0-9a-f]{64}, and .* says 0{64}", project.refused())
    assert project.left() == []


def test_a_sum_in_capitals_and_windows_line_ends_are_read(project):
    sha256 = hashlib.sha256(project.server.files[f"{NAME}.zip"]).hexdigest()
    project.write(project.url, sha256.upper())
    project.properties.write_bytes(project.properties.read_bytes().replace(b"\n", b"\r\n"))
    assert project.run("x").stdout == "<x>\n"


@pytest.mark.parametrize("cut", [0, 10, 100])
def test_what_is_no_whole_zip_is_refused(project, cut):
    project.serve(project.server.files[f"{NAME}.zip"][:cut])
    assert "is no zip that unzip can unpack" in project.refused()
    assert project.left() == []


def test_a_zip_without_a_gradle_is_refused(project, tmp_path):
    project.serve(zip_of(tmp_path / "other.zip", program="other/readme"))
    assert "holds no Gradle" in project.refused()
    assert project.left() == []


@pytest.mark.parametrize("client", ["curl", "wget"])
def test_a_file_that_is_not_there_is_told_of_in_one_line(project, client):
    if shutil.which(client) is None:
        pytest.skip(f"{client} is not installed")
    (project.tools / "curl").unlink()
    (project.tools / client).symlink_to(shutil.which(client))
    project.server.files.clear()
    said = project.refused()
    assert f"{project.url} cannot be fetched ({client}" in said
    assert f"or put the file at {project.place}/{NAME}.zip" in said


def test_wget_does_where_curl_is_missing(project):
    if shutil.which("wget") is None:
        pytest.skip("wget is not installed")
    (project.tools / "curl").unlink()
    (project.tools / "wget").symlink_to(shutil.which("wget"))
    assert project.run("x").stdout == "<x>\n"


def test_a_server_that_is_not_there_is_told_of(project):
    project.write(f"http://127.0.0.1:9/{NAME}.zip", "0" * 64)
    assert "cannot be fetched (curl: (7)" in project.refused()


def test_without_a_client_the_file_can_be_put_in_place(project):
    (project.tools / "curl").unlink()
    assert f"put the file at {project.place}/{NAME}.zip" in project.refused()
    project.place.mkdir(parents=True, exist_ok=True)
    (project.place / f"{NAME}.zip").write_bytes(project.server.files[f"{NAME}.zip"])
    assert project.run("x").stdout == "<x>\n"
    assert project.server.asked == []


def test_a_file_of_this_machine_is_taken_and_said_to_be_unproven(project, tmp_path):
    project.write((tmp_path / "gradle.zip").as_uri(), "")
    done = project.run("x")
    assert done.stdout == "<x>\n", done.stderr
    assert "is taken as it came" in done.stderr


def test_http_without_a_sum_is_refused_before_anything_is_fetched(project):
    project.write(project.url, "")
    assert "http needs a distributionSha256Sum" in project.refused()
    assert project.server.asked == []


@pytest.mark.parametrize(
    ("version", "said"), [("1.8.0_402", 'version "1.8.0_402"'), ("11.0.2", 'version "11.0.2"'), ("none", "unknown")]
)
def test_an_old_jdk_is_named_before_anything_is_fetched(project, version, said):
    project.java(version)
    line = project.refused()
    assert said in line or version in line
    assert "JDK, 17 or newer" in line
    assert project.server.asked == []


@pytest.mark.parametrize("version", ["17", "21.0.1", "25-ea"])
def test_newer_jdks_are_taken(project, version):
    project.java(version)
    assert project.run("x").stdout == "<x>\n"


def test_a_missing_jdk_is_told_of_with_what_was_asked(project, tmp_path):
    nowhere = tmp_path / "nowhere"
    assert f"JAVA_HOME is {nowhere}, where no bin/java is" in project.refused(JAVA_HOME=str(nowhere))
    (project.tools / "java").unlink()
    assert "no java is on the path" in project.refused()


def test_properties_that_say_nothing_usable_are_refused(project):
    project.write("gradle-9.9-bin.zip", "")
    assert "distributionUrl is no https, http or file address: gradle-9.9-bin.zip" in project.refused()
    project.write(project.url, "abc")
    assert "distributionSha256Sum has 3 characters" in project.refused()
    text = project.properties.read_text().replace("distributionBase=GRADLE_USER_HOME", "distributionBase=ELSEWHERE")
    project.properties.write_text(text.replace("=abc", "=" + "0" * 64))
    assert "a base is GRADLE_USER_HOME or PROJECT, not ELSEWHERE" in project.refused()
    project.properties.unlink()
    assert "gradle-wrapper.properties cannot be read" in project.refused()


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_download_leaves_nothing_half_and_the_next_run_is_whole(project, stop):
    project.server.slow.add(f"{NAME}.zip")
    running = subprocess.Popen(
        project.command("dash", "x"), env=project.environment(), start_new_session=True, stderr=subprocess.DEVNULL
    )
    until = time.monotonic() + 30
    while not project.server.asked and time.monotonic() < until:
        time.sleep(0.02)
    os.killpg(running.pid, stop)
    assert running.wait(timeout=30) != 0
    assert project.left() == []
    project.server.slow.clear()
    assert project.run("x").stdout == "<x>\n"


def test_a_download_that_breaks_off_leaves_nothing(project):
    data = project.server.files[f"{NAME}.zip"]
    project.server.files[f"{NAME}.zip"] = b""  # fewer bytes than the sum is of
    assert "was deleted" in project.refused()
    project.server.files[f"{NAME}.zip"] = data
    assert project.run("x").stdout == "<x>\n"


def test_many_at_once_all_run_and_leave_one_gradle(project):
    project.server.slow.add(f"{NAME}.zip")  # so that all of them are at it together
    running = [
        subprocess.Popen(
            project.command(SHELLS[number % len(SHELLS)], str(number)),
            env=project.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(6)
    ]
    ends = [(number, *one.communicate(timeout=60), one.returncode) for number, one in enumerate(running)]
    assert [(number, out, code) for number, out, _, code in ends] == [(n, f"<{n}>\n", 0) for n in range(6)], ends
    assert len(project.server.asked) > 1, "they were not at it together"
    assert len(project.left()) == 2


def test_a_gradle_that_another_program_has_not_finished_is_left_alone(project):
    half = project.place / "gradle-9.9" / "bin"
    half.mkdir(parents=True)
    assert "holds a Gradle that is not whole" in project.refused()
    assert half.is_dir()
    assert project.server.asked == []


def test_gradlew_runs_from_elsewhere_and_through_a_link(project, tmp_path):
    link = tmp_path / "link"
    link.symlink_to("a project/gradlew")
    done = subprocess.run(["dash", link, "x"], env=project.environment(), cwd="/", capture_output=True, text=True)
    assert done.stdout == "<x>\n", done.stderr


def test_the_projects_own_gradle_is_pinned_and_ci_takes_the_same():
    text = (DEMO / "gradle" / "wrapper" / "gradle-wrapper.properties").read_text()
    assert re.search(r"^distributionSha256Sum=[0-9a-f]{64}$", text, re.MULTILINE)
    assert os.access(DEMO / "gradlew", os.X_OK)
    workflow = (DEMO.parent / ".github" / "workflows" / "android.yml").read_text()
    assert "./gradlew " in workflow
    assert "gradle-version" not in workflow, "the version's one home is the properties file"
