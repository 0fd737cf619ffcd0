#!/usr/bin/env python3
"""The main job, from nothing: train a model, share it, call it three ways, and take the permission back.

    examples/demo/demo.py --bin build/release/bin

Everything happens in a temporary directory with ports of its own; nothing is left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
RUNNERS = ROOT / ".deps" / "runners"
RUNNER = "scikit-learn"
LIBRARIES = ROOT / ".deps" / "onnxruntime" / "lib"
EXAMPLE = ROOT / "examples" / "training" / "wine-trees"
SHADES = " .:-=+*#%@"


class DemoFailed(Exception):
    """A step did not do what the transcript says it does."""


def check(condition: bool, what: str) -> None:
    if not condition:
        raise DemoFailed(what)


# Python drops an exception that a signal's handler raises while something is being finalized: looked at again.
ended_by: list[int] = []


def end_on_signal(number: int, _frame: FrameType | None) -> None:
    ended_by.append(number)
    raise SystemExit(128 + number)


def say(text: str = "") -> None:
    if ended_by:
        raise SystemExit(128 + ended_by[0])
    print(text, flush=True)


def heading(number: int, text: str) -> None:
    say(f"\n\033[1m{number}. {text}\033[0m" if sys.stdout.isatty() else f"\n{number}. {text}")


def with_progress(what: str, work: Callable[[], T]) -> T:
    """Runs `work`, and shows that it goes on and how long it has taken."""
    begin = time.monotonic()
    result: list[T] = []
    error: list[BaseException] = []

    def run() -> None:
        try:
            result.append(work())
        except BaseException as caught:  # handed to the caller below
            error.append(caught)

    worker = threading.Thread(target=run, daemon=True)
    worker.start()
    shown = 0.0
    while worker.is_alive():
        worker.join(0.1)
        elapsed = time.monotonic() - begin
        if sys.stdout.isatty():
            print(f"\r   {what} ... {elapsed:.1f} s", end="", flush=True)
        elif worker.is_alive() and elapsed - shown >= 1:
            shown = elapsed
            say(f"   {what} ... {elapsed:.0f} s")
    if sys.stdout.isatty():
        print("\r\033[K", end="")
    if error:
        raise error[0]
    say(f"   {what}: done in {time.monotonic() - begin:.1f} s")
    return result[0]


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def everybody_may_enter(folder: Path) -> bool:
    return all(parent.stat().st_mode & 0o001 for parent in (folder.resolve(), *folder.resolve().parents))


def link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def copy_programs(programs: Path, target: Path) -> None:
    if (programs.parent / "cmake_install.cmake").exists():
        subprocess.run(["cmake", "--install", programs.parent, "--prefix", target], check=True, capture_output=True)
        return
    for folder in (programs, programs.parent / "lib" / "glasscase"):
        if folder.exists():
            shutil.copytree(folder, target / folder.relative_to(programs.parent))


class Demo:
    """The parts that several steps need."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self.programs = programs
        self.runners = RUNNERS
        self.copies: Path | None = None
        self.folder = folder
        self.data = folder / "data"
        http, control = free_ports(2)
        self.url = f"http://127.0.0.1:{http}"
        self.control = f"127.0.0.1:{control}"
        self.server: subprocess.Popen[str] | None = None
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith("GLASSCASE_")}
        self.environment |= {"XDG_CONFIG_HOME": str(folder / "config"), "XDG_DATA_HOME": str(folder / "share")}

    @property
    def glasscase(self) -> str:
        return str(self.programs / "glasscase")

    def needs_copies(self) -> bool:
        """Started by root, workers become another user, who has to read the runner and the programs."""
        return os.geteuid() == 0 and not all(map(everybody_may_enter, (self.programs, LIBRARIES, self.runners)))

    def make_copies(self) -> None:
        """From here on the programs and the runner are in a folder that everybody may enter."""
        self.copies = Path(tempfile.mkdtemp(prefix="glasscase-demo-", dir="/var/tmp"))
        self.copies.chmod(0o755)
        copy_programs(self.programs, self.copies)
        shutil.copytree(self.runners / RUNNER, self.copies / "runners" / RUNNER, symlinks=True, copy_function=link_or_copy)
        self.programs, self.runners = self.copies / "bin", self.copies / "runners"

    def command(self, *words: str, token: str = "", show: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a glasscase command, as the owner or as whoever holds `token`; shows it as people would type it."""
        environment = self.environment | ({"GLASSCASE_TOKEN": token} if token else {})
        if show:
            say(f"   $ glasscase {shlex.join(words)}")
        return subprocess.run(
            [self.glasscase, *words], env=environment, capture_output=True, text=True, check=False, timeout=120
        )

    def must(self, *words: str, show: bool = True) -> Any:
        """Runs a command that has to succeed, and gives its JSON answer."""
        done = self.command(*words, "--json", show=False)
        if show:
            say(f"   $ glasscase {shlex.join(words)}")
        check(done.returncode == 0, f"glasscase {shlex.join(words)}: {done.stderr.strip()}")
        return json.loads(done.stdout)

    def start(self) -> None:
        """Starts the server and waits until it says that it is ready."""
        say("   $ glasscase serve &")
        log = self.folder / "serve.log"
        with log.open("w") as file:
            self.server = subprocess.Popen(
                [self.glasscase, "serve", "--http", self.url.removeprefix("http://"), "--control", self.control,
                 "--workers", "1", "--runners", str(self.runners)],
                env=self.environment, stdout=file, stderr=subprocess.STDOUT, text=True,
            )
        deadline = time.monotonic() + 60
        while "ready:" not in log.read_text():
            check(self.server.poll() is None, f"the server ended at once:\n{log.read_text()}")
            check(time.monotonic() < deadline, f"the server is not ready after a minute:\n{log.read_text()}")
            time.sleep(0.02)
        ready = next(line for line in log.read_text().splitlines() if "ready:" in line)
        say(f"   {ready}")

    def stop(self) -> None:
        """Ends the server and all its processes, whatever state it is in."""
        if self.server is None or self.server.poll() is not None:
            return
        self.server.terminate()
        try:
            self.server.wait(20)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()


class Digits:
    """Handwritten digits, a small classifier of them, and one digit that it has not seen."""

    def __init__(self, folder: Path) -> None:
        import warnings

        # So small a network is trained faster by one thread than by several that wait for each other.
        os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        import numpy
        import skl2onnx
        from sklearn.datasets import load_digits
        from sklearn.model_selection import train_test_split
        from sklearn.neural_network import MLPClassifier
        from skl2onnx.common.data_types import FloatTensorType

        images, labels = load_digits(return_X_y=True)
        images = (images / 16).astype(numpy.float32)
        train_x, test_x, train_y, test_y = train_test_split(images, labels, test_size=0.25, random_state=7)
        classifier = MLPClassifier((96, 48), max_iter=40, random_state=7)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # it stops before it has fully converged, which is good enough here
            classifier.fit(train_x, train_y)
        self.accuracy = float(classifier.score(test_x, test_y))
        onnx = skl2onnx.convert_sklearn(
            classifier, initial_types=[("pixels", FloatTensorType([None, 64]))], options={"zipmap": False}
        )
        self.data = folder / "digits.csv"
        numpy.savetxt(self.data, numpy.column_stack([train_x, train_y]), fmt="%.4g", delimiter=",")
        self.path = folder / "digits.onnx"
        self.path.write_bytes(onnx.SerializeToString())
        # One that people recognise at a glance: the held-out image that the classifier is surest of among the threes.
        sure = classifier.predict_proba(test_x).max(axis=1) * (test_y == 3)
        chosen = int(sure.argmax())
        self.truth = int(test_y[chosen])
        self.pixels: list[float] = [float(p) for p in test_x[chosen]]

    def drawing(self) -> str:
        rows = [self.pixels[i : i + 8] for i in range(0, 64, 8)]
        return "\n".join("      " + "".join(2 * SHADES[round(p * (len(SHADES) - 1))] for p in row) for row in rows)


def report(way: str, digits: Digits, label: int, probability: float) -> None:
    say(f"   {way} says: {label}, with probability {probability:.3f}")
    check(label == digits.truth, f"{way} answered {label}, but the image shows {digits.truth}")
    check(probability > 0.5, f"{way} is not sure: probability {probability}")


def read_outputs(answer: dict[str, Any]) -> tuple[int, float]:
    outputs = {output["name"]: output["data"] for output in answer["outputs"]}
    return int(outputs["label"][0]), float(max(outputs["probabilities"]))


def call_with_curl(demo: Demo, digits: Digits, model: str, token: str) -> None:
    body = demo.folder / "body.json"
    pixels = [round(p, 4) for p in digits.pixels]
    body.write_text(json.dumps({"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", "data": pixels}]}))
    url = f"{demo.url}/v2/models/{model.replace('/', '%2F')}/infer"
    say(f'   $ curl {url} -H "Authorization: Bearer $GLASSCASE_TOKEN" -d @body.json')
    done = subprocess.run(
        ["curl", "-sS", "--fail-with-body", "-H", "@-", "-d", f"@{body}", url],
        input=f"Authorization: Bearer {token}\n", capture_output=True, text=True, check=False, timeout=60,
    )
    check(done.returncode == 0, f"curl: {done.stdout}{done.stderr}")
    report("curl", digits, *read_outputs(json.loads(done.stdout)))


def call_with_cli(demo: Demo, digits: Digits, model: str, token: str) -> subprocess.CompletedProcess[str]:
    (demo.folder / "pixels.json").write_text(json.dumps(digits.pixels))
    done = demo.command("call", model, "--input", str(demo.folder / "pixels.json"), "--json", token=token, show=False)
    say(f"   $ glasscase call {model} --input pixels.json")
    return done


def call_with_tritonclient(demo: Demo, digits: Digits, model: str, token: str) -> None:
    import numpy
    import tritonclient.http

    say("   >>> tritonclient.http.InferenceServerClient(...).infer(...)      (unmodified, binary tensors)")
    client = tritonclient.http.InferenceServerClient(demo.url.removeprefix("http://"))
    tensor = tritonclient.http.InferInput("pixels", [1, 64], "FP32")
    tensor.set_data_from_numpy(numpy.array([digits.pixels], dtype=numpy.float32))
    answer = client.infer(model, [tensor], headers={"Authorization": f"Bearer {token}"})
    label, probabilities = answer.as_numpy("label"), answer.as_numpy("probabilities")
    check(label is not None and probabilities is not None, "tritonclient: an output is missing")
    report("tritonclient", digits, int(label[0]), float(probabilities.max()))
    client.close()


def show_refusal(done: subprocess.CompletedProcess[str], who: str) -> None:
    check(done.returncode == 1, f"{who} should have been refused, but the exit code is {done.returncode}")
    sentence = str(json.loads(done.stderr)["error"])
    say(f"   refused: {sentence}")


def show_lineage(demo: Demo, model: str) -> None:
    shown = demo.command("show", model, show=False).stdout
    say(f"   $ glasscase show {model}")
    lines = shown.splitlines()
    check("made from" in lines, f"glasscase show prints no lineage:\n{shown}")
    for line in lines[lines.index("made from"):][:2]:
        say(f" {line}")


def prove(demo: Demo, digits: Digits, model: str) -> None:
    """A receipt, checked without the server; then against a file of which one byte was altered; then the history."""
    receipt, policy = demo.folder / "digits.tlog-proof", demo.data / "ledger-policy"
    demo.must("receipt", model, "--output", str(receipt), show=False)
    say(f"   $ glasscase receipt {model} --output digits.tlog-proof")
    altered = demo.folder / "altered.onnx"
    changed = bytearray(digits.path.read_bytes())
    changed[len(changed) // 2] ^= 1
    altered.write_bytes(changed)
    for file, wanted in ((digits.path, 0), (altered, 1)):
        say(f"   $ glasscase verify digits.tlog-proof --policy ledger-policy --file {file.name}")
        done = demo.command("verify", str(receipt), "--policy", str(policy), "--file", str(file), show=False)
        check(done.returncode == wanted, f"glasscase verify {file.name}: {done.stdout}{done.stderr}")
        if wanted == 0:
            for line in done.stdout.splitlines():
                say(f"   {line}")
        else:
            say("   one byte of the file was altered, and verify sees it:")
            say(f"   {done.stderr.strip()}")
    done = demo.command("history", model, "--prove", show=False)
    check(done.returncode == 0, f"glasscase history: {done.stderr}")
    say(f"   $ glasscase history {model} --prove")
    say("   " + next(line for line in done.stdout.splitlines() if line.startswith("proved:")))


def write_wine(folder: Path) -> None:
    """scikit-learn's wines, a third of them kept apart for testing."""
    import numpy
    from sklearn.datasets import load_wine
    from sklearn.model_selection import train_test_split

    features, classes = load_wine(return_X_y=True)
    train_x, test_x, train_y, test_y = train_test_split(features, classes, test_size=0.33, random_state=7)
    for name, x, y in (("train", train_x, train_y), ("test", test_x, test_y)):
        numpy.savetxt(folder / f"{name}.csv", numpy.column_stack([x, y]), fmt="%.6g", delimiter=",")


def show_lines(text: str, *words: str) -> None:
    """Those lines of a command's output that begin with one of the words."""
    shown = [line for line in text.splitlines() if line.strip().startswith(words)]
    check(bool(shown), f"nothing begins with {words} in:\n{text}")
    for line in shown:
        say(f"   {line.rstrip()}")


def train_in_a_run(demo: Demo) -> None:
    """Trained from registered inputs in a sandbox, done once more to compare, translated with evidence."""
    write_wine(demo.folder)
    for file, name in ((demo.folder / "train.csv", "wine-train"), (demo.folder / "test.csv", "wine-test"),
                       (EXAMPLE / "train.py", "wine-code")):
        demo.must("dataset", "add", str(file), "--name", name, show=False)
        say(f"   $ glasscase dataset add {file.name} --name {name}")
    trained = with_progress("training in a sandbox without network", lambda: demo.command(
        "train", str(EXAMPLE / "recipe.json"), "--name", "wine", "--json", show=False))
    say("   $ glasscase train recipe.json --name wine")
    check(trained.returncode == 0, f"glasscase train: {trained.stdout}{trained.stderr}")
    run_of_it = json.loads(trained.stdout)
    say(f"   run {run_of_it['id']}: {run_of_it['state']}, {json.loads(run_of_it['record'])['metrics']}")
    verified = with_progress("doing the run once more", lambda: demo.command("runs", "verify", run_of_it["id"], show=False))
    say(f"   $ glasscase runs verify {run_of_it['id']}")
    check(verified.returncode == 0 and "class B" in verified.stdout, f"glasscase runs verify: {verified.stdout}{verified.stderr}")
    show_lines(verified.stdout, "evidence")
    shown = with_progress("translating to ONNX, and comparing", lambda: await_translation(demo))
    show_lineage(demo, "wine-onnx")
    show_lines(shown, "evidence")


def await_translation(demo: Demo) -> str:
    """The recipe asks for ONNX, so a run that translates was queued with the result."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        runs = demo.must("runs", "list", "--model", "wine-onnx", show=False)
        if runs and runs[0]["state"] == "succeeded":
            return demo.command("show", "wine-onnx", show=False).stdout
        check(not runs or runs[0]["state"] != "failed", f"the translation failed: {runs}")
        time.sleep(0.2)
    raise DemoFailed("the translation has not ended after two minutes")


def run(demo: Demo) -> None:
    heading(1, "An owner trains a model: handwritten digits, 64-96-48-10")
    digits = with_progress("training and exporting to ONNX", lambda: Digits(demo.folder))
    say(f"   right on {digits.accuracy:.1%} of the images that it has not seen; {digits.path.stat().st_size} bytes of ONNX")

    heading(2, "Glasscase starts in a fresh directory")
    if demo.needs_copies():
        say("   this folder is root's alone: programs and runner are copied to where the user of runs may read them")
        demo.make_copies()
    made = demo.must("init", "--data", str(demo.data), "--owner", "ada")
    with_progress("starting the processes", demo.start)

    heading(3, "The owner registers the data and publishes the model; the weights stay here")
    say("   $ glasscase dataset add digits.csv --name digits-data")
    demo.must("dataset", "add", str(digits.data), "--name", "digits-data", "--licence", "CC-BY-4.0", show=False)
    published = with_progress(
        "reading, checking and running it in a sandbox",
        lambda: demo.must("publish", str(digits.path), "--name", "digits", "--trained-on", "digits-data", show=False),
    )
    model = str(published["model"]["name"])
    say(f"   $ glasscase publish digits.onnx --name digits --trained-on digits-data\n"
        f"   published {model}, sha256 {published['model']['versions'][0]['sha256']}")
    show_lineage(demo, model)

    heading(4, "Two learners; one is granted 100 calls a minute")
    tokens: dict[str, str] = {}
    for learner in ("grace", "mallory"):
        demo.must("subject", "add", learner)
        tokens[learner] = str(demo.must("token", "create", learner)["token"])
    grant = demo.must("grant", "grace", "predict", "digits", "--quota", "100/min")
    say(f"   {grant['subject']} may {grant['action']} {grant['model']}, {grant['quota']}")

    heading(5, "Grace sends a real image's pixels and never holds the model")
    say(f"   the image, a {digits.truth} that the model has not seen:\n{digits.drawing()}")
    call_with_curl(demo, digits, model, tokens["grace"])
    done = call_with_cli(demo, digits, model, tokens["grace"])
    check(done.returncode == 0, f"glasscase call: {done.stderr}")
    report("the command line", digits, *read_outputs(json.loads(done.stdout)))
    call_with_tritonclient(demo, digits, "digits", tokens["grace"])

    heading(6, "Mallory has no grant: for her the model does not exist")
    show_refusal(call_with_cli(demo, digits, model, tokens["mallory"]), "mallory")

    heading(7, "The owner takes Grace's grant back; her next call is refused")
    revoked = demo.must("revoke", "grant", str(grant["id"]))
    say(f"   revoked: in force in every process after {revoked['acknowledged_ms']:.1f} ms")
    show_refusal(call_with_cli(demo, digits, model, tokens["grace"]), "grace")

    heading(8, "The ledger proves it to anybody, offline")
    prove(demo, digits, model)

    heading(9, "Another model is trained in a recorded run, done once more, and becomes ONNX")
    train_in_a_run(demo)

    heading(10, "The server ends; nothing is left behind")
    demo.must("stop")
    check(demo.server is not None and demo.server.wait(20) == 0, "the server did not end well")
    say(f"   installation {made['installation']} is gone with its directory")
    say(
        "\nWhat to try next\n"
        "   make serve                                              a server that stays, on http://127.0.0.1:8000\n"
        "   build/release/bin/glasscase publish your.onnx --name your-model\n"
        "   build/release/bin/glasscase invite NAME                 a line that lets somebody log in\n"
        "   examples/quickstart/                                    calls from Python, complete and small"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bin", type=Path, default=Path("build/release/bin"), help="where the programs lie")
    programs = parser.parse_args().bin.resolve()
    if not (programs / "glasscase").exists():
        parser.error(f"there is no glasscase in {programs}: run `make build` first")
    if not (RUNNERS / RUNNER / "bin" / "python").exists():
        parser.error(f"there is no runner {RUNNER} in {RUNNERS}: run `make runners` first")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, end_on_signal)
    folder = Path(tempfile.mkdtemp(prefix="glasscase-demo-"))
    demo = Demo(programs, folder)
    try:
        run(demo)
    except DemoFailed as failed:
        print(f"\nthe demo failed: {failed}", file=sys.stderr)
        if (folder / "serve.log").exists():
            print(f"\nthe server's log:\n{(folder / 'serve.log').read_text()[-4000:]}", file=sys.stderr)
        return 1
    finally:
        demo.stop()
        for made in (folder, demo.copies):
            if made is not None:
                shutil.rmtree(made, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
