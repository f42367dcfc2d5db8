"""The suite as a dependency: its wheel in clean environments, beside other plugins and in odd places.

`tox run -e neighbours` builds the wheel once, makes a virtual environment per set of packages, and runs a chapter in
each situation of `SITUATIONS`. It prints a table: what was tried, and what happened. Exit code 1 if anything else
happened than the situation allows.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tabulate import tabulate

ROOT = Path(__file__).parents[1]
_LOOP = "import asyncio\n\ndef new_loop():\n    return asyncio.SelectorEventLoop()\n"
_OWN_TEST = "def test_own():\n    assert True\n"


@dataclass(frozen=True)
class Situation:
    """One way of being a dependency.

    `wrapper` is put before the command (`unshare …`); a situation whose wrapper cannot run here is reported as not
    tried. `code` and `says` are what must come out.
    """

    name: str
    packages: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    folder: str = "project"
    environment: Mapping[str, str | None] = field(default_factory=dict)
    wrapper: tuple[str, ...] = ()
    as_module: bool = False
    with_loop: bool = True
    code: int = 0
    says: str = ""


def _settings(**values: str) -> dict[str, str]:
    lines = "\n".join(f"{key} = {value}" for key, value in values.items())
    return {"pyproject.toml": f"[tool.pytest.ini_options]\n{lines}\n"}


_STRICT = _settings(filterwarnings='["error"]', xfail_strict="true", addopts='"--strict-markers --strict-config"')
_OWN_PACKAGES = {f"{name}/__init__.py": "mine = True\n" for name in ("conformance", "bench", "reports", "tests")}
_NO_IPV6 = 'sysctl -qw net.ipv6.conf.all.disable_ipv6=1 2>/dev/null; ip link set lo up; exec "$@"'
_NO_PROC = 'mount -t tmpfs none /proc && exec "$@"'
_AS_NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")

SITUATIONS = (
    Situation("nothing else", arguments=("-n", "2")),
    Situation("a consumer's own tests, without --loop", with_loop=False),
    Situation("strict settings", files=_STRICT),
    Situation("pytest-asyncio, strict", ("pytest-asyncio",), files=_settings(asyncio_mode='"strict"')),
    Situation("pytest-asyncio, auto", ("pytest-asyncio",), files=_settings(asyncio_mode='"auto"')),
    Situation("anyio's plugin", ("anyio", "trio"), files=_settings(anyio_mode='"auto"')),
    Situation("pytest-cov", ("pytest-cov",), ("--cov=.",)),
    Situation("pytest-cov, -n 2", ("pytest-cov",), ("--cov=.", "-n", "2")),
    Situation("pytest-timeout", ("pytest-timeout",), ("--timeout=60",)),
    Situation("pytest-randomly", ("pytest-randomly",)),
    Situation("pytest-randomly, -n 2", ("pytest-randomly",), ("-n", "2")),
    Situation("pytest-rerunfailures", ("pytest-rerunfailures",), ("--reruns=2",)),
    Situation("all of these", ("pytest-asyncio", "anyio", "pytest-cov", "pytest-timeout", "pytest-randomly",
                               "pytest-rerunfailures"), ("--cov=.", "--timeout=60", "-n", "2"),
              _settings(asyncio_mode='"auto"')),
    Situation("pytest-loop", ("pytest-loop",), code=4, says="-p no:loop"),
    Situation("pytest-loop, -p no:loop", ("pytest-loop",), ("-p", "no:loop")),
    Situation("pytest-loop, without --loop", ("pytest-loop",), with_loop=False),
    Situation("pytest 8.0, xdist 3.5", ("pytest==8.0.*", "pytest-xdist==3.5.*"), ("-n", "2")),
    Situation("own packages of our names", files=_OWN_PACKAGES),
    Situation("own packages of our names, python -m pytest", files=_OWN_PACKAGES, as_module=True),
    Situation("own packages, python -m pytest, without --loop", files=_OWN_PACKAGES, as_module=True, with_loop=False),
    Situation("a folder with spaces and other letters", folder="my pröject ö"),
    Situation("no HOME", environment={"HOME": None}),
    Situation("a locale without UTF-8", environment={"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    Situation("not root, and a read-only tree", wrapper=_AS_NOBODY, arguments=("-p", "no:cacheprovider")),
    Situation("no IPv6", wrapper=("unshare", "-n", "sh", "-c", _NO_IPV6, "sh")),
    Situation("no /proc", wrapper=("unshare", "-m", "sh", "-c", _NO_PROC, "sh")),
    Situation("64 descriptors", wrapper=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")),
    Situation("64 descriptors, -n 2", arguments=("-n", "2"), wrapper=("sh", "-c", 'ulimit -n 64; exec "$@"', "sh")),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description="Run the suite beside other plugins and in odd places.")
    parser.add_argument("--only", default="", help="only situations whose name contains this")
    parser.add_argument("select", nargs="*", default=["callbacks.*"], help="requirements to run (default: callbacks.*)")
    options = parser.parse_args()
    situations = [s for s in SITUATIONS if options.only in s.name]
    with tempfile.TemporaryDirectory() as directory:
        base = Path(directory)
        base.chmod(0o755)
        wheel = _wheel(base)
        rows = []
        for number, situation in enumerate(situations, 1):
            print(f"{number}/{len(situations)} {situation.name}", flush=True)
            rows.append((situation.name, *_try(situation, base, wheel, options.select)))
    print(tabulate(rows, headers=("situation", "what happened", "as it should")))
    sys.exit(any(row[2] == "NO" for row in rows))


def _wheel(base: Path) -> Path:
    _run([sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(base), str(ROOT)])
    return next(base.glob("*.whl"))


def _python(base: Path, wheel: Path, packages: tuple[str, ...]) -> Path:
    """The interpreter of a virtual environment with the wheel and these packages; made once per set."""
    home = base / ("env-" + "-".join(sorted("".join(c for c in p if c.isalnum()) for p in packages)))
    if not home.exists():
        _run([sys.executable, "-m", "venv", str(home)])
        _run([str(home / "bin" / "pip"), "install", "--quiet", str(wheel), *packages])
    return home / "bin" / "python"


def _try(situation: Situation, base: Path, wheel: Path, select: list[str]) -> tuple[str, str]:
    folder = base / situation.folder
    shutil.rmtree(folder, ignore_errors=True)
    for name, text in {"myloop.py": _LOOP, "test_own.py": _OWN_TEST, **situation.files}.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    python = _python(base, wheel, situation.packages)
    runner = [str(python), "-m", "pytest"] if situation.as_module else [str(python.parent / "pytest")]
    loop = ["--loop=myloop:new_loop", *select] if situation.with_loop else []
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "COV", "TOX", "VIRTUAL"))}
    for key, value in situation.environment.items():
        environment.pop(key, None)
        if value is not None:
            environment[key] = value
    environment["PYTHONDONTWRITEBYTECODE"] = "1"
    if subprocess.run([*situation.wrapper, str(python), "-c", "pass"], capture_output=True).returncode:
        return f"not tried: {situation.wrapper[0]} cannot run this Python here", "?"
    done = subprocess.run(
        [*situation.wrapper, *runner, "-q", *situation.arguments, *loop],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600,
    )  # fmt: skip
    output = done.stdout.decode(errors="replace")
    right = done.returncode == situation.code and situation.says in output and "Traceback" not in output
    if not right:
        print(textwrap.indent(output[-4000:], "    "), flush=True)
    lines = [line for line in output.splitlines() if line.strip()]
    return f"exit {done.returncode}: {lines[-1][:90] if lines else ''}", "yes" if right else "NO"


def _run(command: list[str]) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
