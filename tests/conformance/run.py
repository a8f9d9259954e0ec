"""Runs other people's clients and their own test suites against a real gateway, and writes down what passes.

    python -m tests.conformance.run            # all; the clients are fetched from PyPI and npm into a cache folder
    python -m tests.conformance.run langchain  # those whose name holds the word; the other rows stay
    python -m tests.conformance.run openai-python images  # of the suite of openai-python, only this area

The gateway is `strata serve gateway` with its own settings file; behind it stands the mock vendor of
`strata.testing.vendor`, once as a vendor that speaks OpenAI's dialects and once as one that speaks Anthropic's.
`STRATA_CONFORMANCE` names the cache folder. The table is `docs/reference/conformance.md`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("STRATA_CONFORMANCE") or Path.home() / ".cache" / "strata" / "conformance")
AREA = sys.argv[2] if len(sys.argv) > 2 else ""
PAGE = ROOT / "docs" / "reference" / "conformance.md"
PYTHON = CACHE / "venv" / "bin" / "python"

OPENAI, ANTHROPIC = "3.54.0", "2.12.0"
PACKAGES = (
    f"openai[aiohttp]=={OPENAI}", f"anthropic=={ANTHROPIC}", "http-snapshot==0.1.9", "pytest", "pytest-asyncio",
    "pytest-xdist", "pytest-timeout", "respx", "time-machine", "rich", "inline-snapshot", "dirty-equals", "nest-asyncio",
    "langchain-openai==1.7.3", "langchain-anthropic==1.7.7", "langchain-tests==1.1.9", "pytest-benchmark",
    "llm==0.36", "inspect-ai>=0.3,<0.4",
)  # fmt: skip
NPM = {"ai": "6", "@ai-sdk/openai-compatible": "2", "@ai-sdk/openai": "3", "@ai-sdk/anthropic": "3"}
NAMES = {
    "chat": ("default", "gpt-6-astra", "model", "mock-text", "gpt-4o-mini", "claude-opus-5-5", "model_id"),
    "embedding": ("text-embedding-3-small",),
    "image": ("gpt-image-2.5-flare",),
    "speech": ("tts-1",),
    "transcription": ("gpt-4o-transcribe",),
}
"""The models that the suites ask for, by their kind."""


@dataclass(frozen=True)
class Result:
    client: str
    version: str
    area: str
    passed: int
    failed: int
    skipped: int
    why: str = ""


@dataclass(frozen=True)
class Gateway:
    """One that is being served. `behind` says what its vendor speaks."""

    url: str
    key: str
    behind: str

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "GW": self.url, "GWKEY": self.key, "NO_PROXY": "127.0.0.1", "no_proxy": "127.0.0.1"}


# ------------------------------------------------------------------ what is needed


def prepare() -> None:
    """Fetch the clients, once."""
    done = CACHE / "ready.json"
    wanted = json.dumps([PACKAGES, NPM])
    if done.is_file() and done.read_text() == wanted:
        return
    shutil.rmtree(CACHE, ignore_errors=True)
    CACHE.mkdir(parents=True)
    subprocess.run([sys.executable, "-m", "venv", CACHE / "venv"], check=True)
    pip = [PYTHON, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", *PACKAGES], check=True)
    for name, version in (("openai", OPENAI), ("anthropic", ANTHROPIC)):
        subprocess.run(
            [*pip, "download", "--no-deps", "--no-binary", name, f"{name}=={version}"], cwd=CACHE, check=True
        )
        with tarfile.open(CACHE / f"{name}-{version}.tar.gz") as packed:
            packed.extractall(CACHE, filter="data")
    if shutil.which("npm"):
        node = CACHE / "node"
        node.mkdir()
        (node / "package.json").write_text(json.dumps({"type": "module", "dependencies": NPM}))
        subprocess.run(["npm", "install", "--silent", "--no-audit", "--no-fund"], cwd=node, check=True)
    done.write_text(wanted)


@contextmanager
def gateway(behind: str) -> Iterator[Gateway]:
    """A gateway in processes of its own, as an operator would start it."""
    strata = Path(sys.executable).with_name("strata")
    with tempfile.TemporaryDirectory() as home:
        ports = [free_port(), free_port()]
        vendor = subprocess.Popen([sys.executable, "-m", "strata.testing.vendor", "--port", str(ports[0])])
        settings = Path(home) / "strata.toml"
        settings.write_text(settings_for(behind, f"http://127.0.0.1:{ports[0]}", ports[1]))
        environment = {**os.environ, "STRATA_HOME": str(Path(home) / "data"), "STRATA_SETTINGS": str(settings)}
        made = subprocess.run(
            [strata, "keys", "create", "conformance", "--department", "research"],
            env=environment, check=True, capture_output=True, text=True,
        )  # fmt: skip
        key = re.search(r"sk-strata-[\w-]+", made.stdout)
        assert key is not None, made.stdout
        server = subprocess.Popen([strata, "serve", "gateway", "reporting"], env=environment)
        url = f"http://127.0.0.1:{ports[1]}"
        try:
            wait_for(f"{url}/readyz")
            yield Gateway(url, key[0], behind)
        finally:
            for process in (server, vendor):
                process.terminate()
                process.wait(20)


def settings_for(behind: str, vendor: str, port: int) -> str:
    lines = [
        '[strata]\ntenant = "conformance"\nname = "Conformance"\n',
        f'[serve]\nhost = "127.0.0.1"\nport = {port}\n',
        '[[departments]]\nid = "research"\nname = "Research"\n',
        "[gateway]\nrequests_per_minute = 0\n",
    ]
    for kind, names in NAMES.items():
        provider = behind if kind == "chat" else "openai"
        lines += [model(name, kind, "mock", provider, vendor) for name in names]
    lines.append(model("mock-tool", "chat", "mock;tools", behind, vendor))
    return "\n".join(lines)


def model(name: str, kind: str, script: str, provider: str, vendor: str) -> str:
    base = vendor if provider == "anthropic" else f"{vendor}/v1"
    return (
        f'[models."{name}"]\nkind = "{kind}"\nprovider = "{provider}"\nmodel = "{script}"\n'
        f'price = {{ input = "1", output = "2" }}\noptions = {{ base_url = "{base}", api_key = "sk-mock" }}\n'
    )


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError(url)


def version(package: str) -> str:
    code = f"import importlib.metadata as it; print(it.version({package!r}))"
    return subprocess.run([PYTHON, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


# ------------------------------------------------------------------ the clients


def suite(gate: Gateway, client: str, package: str, area: str, where: Path, *arguments: str, **more: str) -> Result:
    """One run of pytest."""
    report = CACHE / f"report-{os.getpid()}.xml"
    report.unlink(missing_ok=True)
    command = [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junitxml={report}", *arguments]
    environment = {**gate.environment, "GWMODEL": "mock-text", **more}
    ran = subprocess.run(command, cwd=where, env=environment, capture_output=True, text=True, check=False)
    area = f"{area} ({gate.behind} behind)"
    if not report.is_file():
        return Result(
            client, version(package), area, 0, 1, 0, "it did not run: " + ran.stdout[-200:].replace("\n", " ")
        )
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    told: dict[str, list[str]] = {}
    for case in ET.parse(report).getroot().iter("testcase"):
        outcome = next((it for it in case if it.tag in {"failure", "error", "skipped"}), None)
        if outcome is None:
            counts["passed"] += 1
        elif outcome.tag == "skipped":
            counts["skipped"] += 1
        else:
            counts["failed"] += 1
            name = re.sub(r"\[.*", "", str(case.get("name")))
            told.setdefault(" ".join(str(outcome.get("message")).split())[:160], []).append(name)
    why = "; ".join(
        f"{', '.join(dict.fromkeys(names))}: {next((KNOWN_TESTS[it] for it in names if it in KNOWN_TESTS), message)}"
        for message, names in told.items()
    )
    return Result(
        client, version(package), area, **counts, why=KNOWN.get((client, area), why) if counts["failed"] else ""
    )


SUITE = "openai-python's own suite"
SUITE_ANTHROPIC = "anthropic-python's own suite"
KNOWN: dict[tuple[str, str], str] = {
    (SUITE, "embeddings (openai behind)"): (
        "the client asks for base64 of its own accord and then expects numbers, so that these fail at every server that "
        "does what it is asked"
    ),
    (
        SUITE,
        "chat (anthropic behind)",
    ): "those with every field ask for audio, which Anthropic has not: refused with the reason",
    (SUITE, "images (openai behind)"): "streams of pictures are refused with the reason",
    (SUITE, "transcriptions (openai behind)"): "streams of transcriptions are refused with the reason",
    (SUITE, "responses (anthropic behind)"): (
        "requests that ask nothing, and those that name stored answers, which only a vendor that keeps them can know, are "
        "refused with the reason"
    ),
    (SUITE_ANTHROPIC, "messages (openai behind)"): (
        "those with every field ask for a 'container' and for MCP servers, which only Anthropic has: refused with the reason"
    ),
}
"""What failures are about, where the messages do not say it."""

KNOWN_TESTS = {"test_unicode_tool_call_integration": "needs a model that reads the prompt; the mock does not"}


def openai_python(gate: Gateway) -> Iterator[Result]:
    """The suite sends a fixed key, which is replaced by ours; its folder is not otherwise changed."""
    where = CACHE / f"openai-{OPENAI}"
    conftest = where / "tests" / "conftest.py"
    conftest.write_text(re.sub(r'^api_key = ".*"', f'api_key = "{gate.key}"', conftest.read_text(), flags=re.MULTILINE))
    areas = [
        ("chat", "create", "chat/test_completions.py"),
        ("responses", "create", "test_responses.py"),
        ("embeddings", "create", "test_embeddings.py"),
        ("models", "list or retrieve", "test_models.py"),
        ("images", "generate", "test_images.py"),
        ("speech", "create", "audio/test_speech.py"),
        ("transcriptions", "create", "audio/test_transcriptions.py"),
    ]
    for area, chosen, file in areas if gate.behind == "openai" else areas[:2]:
        if AREA not in area:
            continue
        yield suite(
            gate, SUITE, "openai", area, where, "-n0", "-k", chosen, f"tests/api_resources/{file}",
            TEST_API_BASE_URL=f"{gate.url}/v1",
        )  # fmt: skip


def anthropic_python(gate: Gateway) -> Iterator[Result]:
    where = CACHE / f"anthropic-{ANTHROPIC}"
    conftest = where / "tests" / "conftest.py"
    conftest.write_text(re.sub(r'^api_key = ".*"', f'api_key = "{gate.key}"', conftest.read_text(), flags=re.MULTILINE))
    for area, chosen, file in (
        ("messages", "create and not batch", "test_messages.py"),
        ("count_tokens", "count_tokens", "test_messages.py"),
        ("models", "list or retrieve", "test_models.py"),
    ):
        yield suite(
            gate, SUITE_ANTHROPIC, "anthropic", area, where, "-n0", "-k", chosen, f"tests/api_resources/{file}",
            TEST_API_BASE_URL=gate.url,
        )  # fmt: skip


def langchain(gate: Gateway) -> Iterator[Result]:
    loops = (
        "asyncio_mode=auto",
        "asyncio_default_test_loop_scope=session",
        "asyncio_default_fixture_loop_scope=session",
    )
    options = [part for loop in loops for part in ("-o", loop)]
    where = CACHE / "langchain"
    shutil.copytree(HERE / "clients", where, dirs_exist_ok=True)
    (where / "pytest.ini").write_text("[pytest]\n")
    for area, file, package, api in (
        ("chat", "langchain_openai_chat.py", "langchain-openai", ""),
        ("responses", "langchain_openai_chat.py", "langchain-openai", "responses"),
        ("messages", "langchain_anthropic_messages.py", "langchain-anthropic", ""),
    ):
        named = {"GWAPI": api}
        yield suite(gate, "langchain-tests", package, area, where, *options, "-k", "not agent_loop", file, **named)
        yield suite(
            gate, "langchain-tests", package, f"{area}, agent loop", where, *options, "-k", "agent_loop", file,
            **named, GWMODEL="mock-tool",
        )  # fmt: skip


def vercel(gate: Gateway) -> Iterator[Result]:
    node = CACHE / "node"
    if not (node / "node_modules").is_dir():
        yield Result("Vercel AI SDK", "", "all", 0, 0, 1, "npm is not installed here")
        return
    shutil.copy(HERE / "clients" / "vercel.mjs", node)
    ran = subprocess.run(
        ["node", "vercel.mjs"],
        check=False,
        cwd=node,
        env={**gate.environment, "GWMODEL": "mock-text"},
        capture_output=True,
        text=True,
    )
    found = json.loads(ran.stdout.strip().splitlines()[-1]) if ran.returncode == 0 else []
    sdk = json.loads((node / "node_modules" / "ai" / "package.json").read_text())["version"]
    if not found:
        yield Result("Vercel AI SDK", sdk, "all", 0, 1, 0, ran.stderr[-200:].replace("\n", " "))
    for area in dict.fromkeys(it["area"] for it in found):
        those = [it for it in found if it["area"] == area]
        wrong = [f"{it['name']}: {it['why']}" for it in those if not it["passed"]]
        passed = len(those) - len(wrong)
        yield Result("Vercel AI SDK", sdk, f"{area} ({gate.behind} behind)", passed, len(wrong), 0, "; ".join(wrong))


def command_line(gate: Gateway) -> Iterator[Result]:
    """`llm`: a prompt, streamed and not."""
    with tempfile.TemporaryDirectory() as home:
        lines = ["- model_id: gw", "  model_name: mock-text", f"  api_base: {gate.url}/v1", "  api_key_name: gw"]
        Path(home, "extra-openai-models.yaml").write_text("\n".join(lines))
        good, why = 0, []
        for more in ([], ["--no-stream"]):
            ran = subprocess.run(
                [PYTHON.with_name("llm"), "-m", "gw", "--key", gate.key, *more, "hi"],
                env={**gate.environment, "LLM_USER_PATH": home}, capture_output=True, text=True, check=False,
            )  # fmt: skip
            good += "This is the mock's answer." in ran.stdout
            why += [ran.stderr[-200:]] if ran.returncode else []
    yield Result("llm", version("llm"), f"chat ({gate.behind} behind)", good, 2 - good, 0, "; ".join(why))


def inspect(gate: Gateway) -> Iterator[Result]:
    with tempfile.TemporaryDirectory() as logs:
        ran = subprocess.run(
            [PYTHON.with_name("inspect"), "eval", "inspect_check.py", "--display", "plain",
             "--model", "openai-api/gw/mock-text", "--log-dir", logs],
            env={**gate.environment, "GW_BASE_URL": f"{gate.url}/v1", "GW_API_KEY": gate.key}, cwd=HERE / "clients",
            capture_output=True, text=True, check=False,
        )  # fmt: skip
    good = ran.returncode == 0 and re.search(r"accuracy:?\s+1\.0", ran.stdout) is not None
    why = "" if good else (ran.stdout + ran.stderr)[-200:].replace("\n", " ")
    yield Result("Inspect", version("inspect-ai"), f"chat ({gate.behind} behind)", int(good), int(not good), 0, why)


CLIENTS: dict[str, Callable[[Gateway], Iterator[Result]]] = {
    "openai-python": openai_python, "anthropic-python": anthropic_python, "langchain": langchain, "vercel": vercel,
    "llm": command_line, "inspect": inspect,
}  # fmt: skip


# ------------------------------------------------------------------ the page


def page(results: list[Result]) -> str:
    passed, failed = sum(it.passed for it in results), sum(it.failed for it in results)
    lines = [
        "<!-- made by tests/conformance/run.py; run `make conformance`, do not change this page -->",
        "# Conformance",
        "",
        "What other people's clients, and the test suites that come with them, find at the gateway's door. The gateway is a",
        "real `strata serve gateway`; behind it stands a mock vendor that speaks OpenAI's dialects or Anthropic's, so that",
        "each API is met untouched and translated. Model names and the key are those of the gateway; nothing else in the",
        "suites is changed.",
        "",
        f"**{passed} passed, {failed} failed.**",
        "",
        "| Client | Version | Area | Passed | Failed | Skipped | Why |",
        "| --- | --- | --- | ---: | ---: | ---: | --- |",
    ]
    lines += [
        f"| {it.client} | {it.version} | {it.area} | {it.passed} | {it.failed} | {it.skipped} | {cell(it.why)} |"
        for it in results
    ]
    return "\n".join(lines) + "\n"


def remembered(results: list[Result]) -> list[Result]:
    """These results in place of the earlier ones of the same clients and areas, in the order in which all were run."""
    store = CACHE / "results.json"
    earlier = [Result(**it) for it in json.loads(store.read_text())] if store.is_file() else []
    rows = {(it.client, it.version, it.area): it for it in [*earlier, *results]}
    store.write_text(json.dumps([asdict(it) for it in rows.values()]))
    return list(rows.values())


def cell(text: str) -> str:
    text = re.sub(r"127\.0\.0\.1:\d+|req_\w+|0x\w+", "…", text)
    return text.replace("|", "\\|").replace("<", "&lt;")[:600]


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("stopped"))
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    prepare()
    results: list[Result] = []
    for behind in ("openai", "anthropic"):
        with gateway(behind) as gate:
            for name, client in CLIENTS.items():
                if wanted in name:
                    for result in client(gate):
                        print(result, flush=True)
                        results.append(result)
    PAGE.write_text(page(remembered(results)))
    sys.exit(any(it.failed and not it.why for it in results))


if __name__ == "__main__":
    main()
