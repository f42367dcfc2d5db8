"""Makes what this folder publishes: batteries and races of every loop that installs here, and the pages of them.

`tox run -e published` runs it. What is there is kept, so that it goes on where it stopped; `--again` forgets it.
It is the one script under `reports/` that runs loops, and it does so as anybody would: each in an environment of its
own. Loops that need a house of their own (Qt, GLib, Trio) have a factory in `adapters.py`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]


@dataclass(frozen=True)
class Loop:
    """A published loop: where it comes from, and whether it is raced too."""

    spec: str
    packages: tuple[str, ...] = ()
    raced: bool = False
    of_the_system: bool = False  # needs a binding that only the operating system's own Python has
    of_source: bool = False  # has no wheel for this platform, and is built where there is a C compiler
    expected: bool = True  # whether its file in conformance/expected is made here, and not kept by hand

    @property
    def name(self) -> str:
        """Its label, where that is not a longer one."""
        label, equals, target = self.spec.rpartition("=")
        return label if equals else target.partition(":")[0]

    @property
    def home(self) -> str:
        """What the name of its environment ends with. Loops that race each other share one."""
        return "" if self.raced else f"-{self.name}"


LOOPS = (
    Loop("asyncio:SelectorEventLoop", raced=True, expected=False),
    Loop("reference_loop:new_event_loop", raced=True, expected=False),
    Loop("uvloop:new_event_loop", ("uvloop",), raced=True, expected=False),
    Loop("rloop:new_event_loop", ("rloop",), raced=True),
    Loop("asyncio-gevent=asyncio_gevent:EventLoop", ("asyncio-gevent",)),
    Loop("asyncio-glib=asyncio_glib:GLibEventLoop", ("asyncio-glib",), of_the_system=True),
    Loop("asyncqt=adapters:older_qt", ("asyncqt", "PyQt5")),
    Loop("blazio:new_event_loop", ("blazio",)),
    Loop("gbulb=adapters:glib", ("gbulb",), of_the_system=True),
    Loop("leviathan=leviathan:Loop", ("leviathan",)),
    Loop("qasync=adapters:qt", ("qasync", "PySide6-Essentials")),
    Loop("QtAsyncio=adapters:qt_itself", ("PySide6-Addons",)),
    Loop("qtinter=adapters:qt_between", ("qtinter", "PySide6-Essentials")),
    Loop("quamash=adapters:oldest_qt", ("quamash", "PyQt5")),
    Loop("rsloop:new_event_loop", ("rsloop",)),
    Loop("trio-asyncio=adapters:trio", ("trio-asyncio",)),
    Loop("uringcore=uringcore:UringEventLoop", ("uringcore",)),
    Loop("uringloop=adapters:uring", ("uringloop",)),
    Loop("veloxloop:new_event_loop", ("veloxloop",)),
    Loop("winloop:new_event_loop", ("winloop",), of_source=True),
    Loop("zloop:new_event_loop", ("zloop",)),
    Loop("zuvloop:new_event_loop", ("zuvloop",)),
)


class Place:
    """One Python: its environments, and where its results go."""

    def __init__(self, python: str, work: Path, wheel: Path) -> None:
        self.python = python
        self.work = work
        self.wheel = wheel
        self._homes: set[str] = set()  # environments that have this wheel
        self.raw = work / f"raw{python}"
        self.results = HERE / python
        self.installed: list[Loop] = []
        self.notes: list[str] = []

    def bin(self, name: str, loop: Loop | None = None) -> str:
        """A program of the environment of a loop, or of the one where loops race."""
        return str(self.work / f"python{self.python}{loop.home if loop else ''}" / "bin" / name)

    def prepare(self, *, again: bool) -> bool:
        """Make the environments of all loops that have a wheel. False if this Python is not there."""
        if interpreter(self.python) is None:
            print(f"Python {self.python} is not there: left out")
            return False
        if again:
            shutil.rmtree(self.raw, ignore_errors=True)
        self.raw.mkdir(parents=True, exist_ok=True)
        self.results.mkdir(exist_ok=True)
        shutil.copy(HERE / "adapters.py", self.raw)
        for loop in LOOPS:
            if why := self._install(loop) or self._unusable(loop):
                self.notes.append(f"`{loop.spec}`: {why}")
            else:
                self.installed.append(loop)
        return True

    def battery(self, loop: Loop) -> None:
        """One loop at a time: a spec that cannot be used, or a run that is killed, costs no other loop."""
        file = self.raw / f"{loop.name}.jsonl"
        if complete(file):
            return
        # The console script, not -m: an environment's own pytest, away from this checkout's files.
        command = [self.bin("pytest", loop), "-q", "-n", str(os.cpu_count() or 1)]
        run([*command, f"--loop={loop.spec}", f"--loop-results={file.name}"], cwd=self.raw, check=False)

    def race(self, pace: str, workloads: list[str]) -> None:
        """All that are raced, in one race: ratios of different races do not compare."""
        specs = [part for loop in self.installed if loop.raced for part in ("--loop", loop.spec)]
        arguments = [*([f"--{pace}"] if pace != "default" else []), *specs, "-o", "race", *workloads]
        run([self.bin("python"), "-P", "-m", "bench", "run", *arguments], cwd=self.raw, check=False)

    def publish(self) -> None:
        """Raw data into the repository: without this machine's names and paths, and packed where it is large."""
        merged = self.raw / "battery.json"
        self.reports("merge", *map(str, self._batteries()), "-o", str(merged))
        (self.results / "battery.json").write_text(self.clean(merged.read_text()))
        if (self.raw / "race").exists():  # without a race, the one that was published stays
            shutil.rmtree(self.results / "race", ignore_errors=True)
        for file in sorted((self.raw / "race").rglob("*.json*")):
            target = self.results / "race" / file.relative_to(self.raw / "race")
            target.parent.mkdir(parents=True, exist_ok=True)
            text = self.clean(file.read_text())
            if file.name == "race.json":
                target.write_text(text)
            else:
                target.with_name(f"{file.name}.gz").write_bytes(gzip.compress(text.encode(), mtime=0))

    def pages(self) -> None:
        """The page and the badges, from what is published and nothing else."""
        absent = f"Not here: {'; '.join(self.notes)}.\n" if self.notes else ""
        (self.results / "absent.md").write_text(absent)
        title = f"asyncio event loops on Python {self.python}"
        self.reports("html", str(self.results), "-o", str(self.results / "report.html"), "--title", title)
        self.reports("markdown", str(self.results / "battery.json"), "-o", str(self.results / "summary.md"))
        for label in filter(None, map(label_of, self._batteries())):
            output = self.results / f"badge-{label}.svg"
            self.reports("badge", str(self.results / "battery.json"), "--loop", label, "-o", str(output))

    def clean(self, text: str) -> str:
        """Without paths and host names: they say nothing about loops."""
        base = subprocess.run([self.bin("python"), "-c", "import sys; print(sys.base_prefix)"], capture_output=True,
                              text=True, check=True).stdout.strip()  # fmt: skip
        homes = {str(Path(self.bin("python", loop)).parents[1]): "venv" for loop in LOOPS}
        names = homes | {str(self.raw): ".", str(ROOT): "checkout", base: "python", str(Path.home()): "~"}
        for path in sorted(names, key=len, reverse=True):
            text = text.replace(path, names[path])
        for root in {Path(path).parts[1] for path in names}:  # a long repr is cut in its middle, and so may a path be
            text = re.sub(rf"/{re.escape(root)}(/[\w.-]*?)*?\.\.\.", "...", text)
        text = re.sub(r"(?:/[\w.-]+)+/(Python-3[\w.]*/)", r"\1", text)  # in traces of crashes
        return text.replace(json.dumps(os.uname().nodename), '"published"')

    def _batteries(self) -> list[Path]:
        files = (self.raw / f"{loop.name}.jsonl" for loop in self.installed)
        return [file for file in files if file.exists()]

    def _install(self, loop: Loop) -> str:
        """Make the environment of a loop. Why it could not be made, in the installer's words."""
        python = self.bin("python", loop)
        pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if loop.home not in self._homes:
            if Path(python).exists():
                run([*pip, "--force-reinstall", "--no-deps", str(self.wheel)])
            else:
                base = f"/usr/bin/python{self.python}" if loop.of_the_system else interpreter(self.python)
                if base is None or not Path(base).exists():
                    return f"needs the system's own Python {self.python}, which is not there"
                shared = ["--system-site-packages"] if loop.of_the_system else []
                run([base, "-m", "venv", *shared, str(Path(python).parents[1])])
                run([*pip, str(self.wheel)])
            self._homes.add(loop.home)
        built = [] if loop.of_source else ["--only-binary", ":all:"]
        return last_line([*pip, *built, *loop.packages]) if loop.packages else ""

    def _unusable(self, loop: Loop) -> str:
        module, _, factory = loop.spec.rpartition("=")[2].partition(":")
        code = f"import sys; sys.path.append('.'); import {module}; {module}.{factory}().close()"
        return last_line([self.bin("python", loop), "-P", "-c", code], cwd=self.raw)

    def reports(self, *arguments: str) -> None:
        run([self.bin("python"), "-P", "-m", "reports", *arguments])


def interpreter(python: str) -> str | None:
    """A Python of that version: one on the path that answers, or one of pyenv's."""
    candidates = [f"python{python}", *map(str, sorted(Path.home().glob(f".pyenv/versions/{python}.*/bin/python")))]
    for candidate in candidates:
        if path := shutil.which(candidate):
            done = subprocess.run([path, "-c", "import sys; print(sys.executable)"], capture_output=True, text=True)
            if done.returncode == 0:
                return done.stdout.strip()
    return None


def build(work: Path) -> Path:
    """The wheel of this checkout, for every environment."""
    target = work / "wheel"
    shutil.rmtree(target, ignore_errors=True)
    run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(target), str(ROOT)])
    return next(target.glob("*.whl"))


def label_of(file: Path) -> str | None:
    """The label of the loop that a result file is about; None if the run did not come to its first result."""
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    return next((str(line["label"]) for line in lines if line["kind"] == "loop"), None)


def complete(file: Path) -> bool:
    """Whether a result file has its footer. One that has not is made anew."""
    return file.exists() and '"kind": "footer"' in file.read_text(errors="replace").rstrip().rpartition("\n")[2]


def last_line(command: list[str], cwd: Path = ROOT) -> str:
    """What a command said last before it failed; nothing if it did not."""
    print("$", " ".join(command), flush=True)
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode == 0:
        return ""
    said = [line for line in done.stderr.splitlines() if line.strip()]
    return (said or [f"ends with {done.returncode}"])[-1].removeprefix("ERROR: ")[:200]


def run(command: list[str], cwd: Path = ROOT, *, check: bool = True) -> int:
    """Run, say so, and give the exit status."""
    print("$", " ".join(command), flush=True)
    return subprocess.run(command, cwd=cwd, check=check, stdin=subprocess.DEVNULL).returncode


def take_pictures(place: Place) -> None:
    """What a reader sees first of the battery and of the race, for the README; left out where there is no Chromium."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        print("no Chromium: no pictures")
        return
    for name, source in (("battery", "battery.json"), ("race", "race")):
        page, picture = place.raw / f"{name}.html", HERE / f"{name}.png"
        if not (place.results / source).exists():
            continue
        title = f"asyncio event loops on Python {place.python}"
        place.reports("html", str(place.results / source), "-o", str(page), "--title", title)
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--window-size=1200,1300"]
        run([chromium, *flags, f"--screenshot={picture}", page.as_uri()], check=False)


def write_overall(place: Place) -> None:
    """What speaks of every Python that is published, now or before: expectations, this folder's README, the book."""
    folders = sorted(path.parent for path in HERE.glob("3.*/battery.json"))
    results = [str(folder / "battery.json") for folder in folders]
    for loop in LOOPS:
        if loop.expected and any((folder / f"badge-{loop.name}.svg").exists() for folder in folders):
            output = ROOT / "conformance" / "expected" / f"{loop.name}.toml"
            place.reports("expect", *results, "--loop", loop.name, "-o", str(output))
    place.reports("book", *results, "-o", str(HERE / "book.html"))
    lines = [(HERE / "README.in.md").read_text()]
    for folder in folders:
        table = (folder / "summary.md").read_text().partition("\n\n")[2].partition("\n\n")[0]
        words, data = f"{folder.name}/summary.md", f"{folder.name}/"
        links = f"[The page]({folder.name}/report.html), [every deviation in words]({words}), [raw data]({data})."
        lines += [f"## Python {folder.name}", links, table, (folder / "absent.md").read_text()]
    (HERE / "README.md").write_text("\n\n".join(line.strip() for line in lines).rstrip() + "\n")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", action="append", metavar="3.X", help="only this one; may be given several times")
    parser.add_argument("--race", choices=("none", "quick", "default", "rigorous"), default="quick", help="its pace")
    parser.add_argument("--workloads", nargs="*", default=[], help="of the race; all when left out")
    parser.add_argument("--work", type=Path, default=ROOT / ".tox" / "published-work", help="environments and raw data")
    parser.add_argument("--again", action="store_true", help="forget what was measured before")
    options = parser.parse_args()
    work: Path = options.work.resolve()
    wheel = build(work)
    places = [Place(python, work, wheel) for python in options.python or ("3.11", "3.12", "3.13")]
    places = [place for place in places if place.prepare(again=options.again)]
    for place in places:
        for loop in place.installed:
            place.battery(loop)
        if options.race != "none":
            place.race(options.race, options.workloads)
        place.publish()
        place.pages()
    if places:
        write_overall(places[-1])
        take_pictures(places[-1])
    return 0 if places else 1


if __name__ == "__main__":
    sys.exit(main())
