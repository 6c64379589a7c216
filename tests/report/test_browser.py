"""The report in a real browser: from disk, and inside the real MLflow UI."""

from __future__ import annotations

import base64
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mlflow import MlflowClient
from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from steps.core.data.dataset import Dataset
from steps.core.metrics.method_comparison import baselines_summary
from steps.report.render import report_html
from tests.conftest import clean_environment, step
from tests.report.conftest import NASTY, MakeReport
from tests.servers import Server
from tests.test_main import SMALL

CHROMIUM, DRIVER = Path("/usr/bin/chromium"), Path("/usr/bin/chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # The driver reads the console of one process; MLflow's sandboxed frame would be in another.
    "--disable-features=IsolateSandboxedIframes",
    "--window-size=1400,1000",
)
pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM.exists() and DRIVER.exists()), reason="needs Debian's chromium and chromium-driver"
    ),
    # selenium's own sockets, closed by the garbage collector when it ends the browser
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    os.environ["SE_OFFLINE"] = "true"  # selenium's manager would look for drivers to download
    options = webdriver.ChromeOptions()
    options.binary_location = str(CHROMIUM)
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(executable_path=str(DRIVER)))
    try:
        yield driver
    finally:
        driver.quit()


@pytest.fixture(scope="module")
def report_file(make_report: MakeReport, nasty_study: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose names are as bad as names can be."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(report_html(make_report(nasty_study, run_name=f"nasty {NASTY}", noise=0.5)), encoding="utf-8")
    return path


def errors(browser: webdriver.Chrome) -> list[dict[str, Any]]:
    return [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]  # type: ignore[no-untyped-call]


def check_content(browser: webdriver.Chrome) -> None:
    """Title, pictures and sorting of the report in the current frame."""
    assert browser.find_element(By.TAG_NAME, "h1").text == f"Can fear {NASTY} be recognised in a new person?"
    assert f"nasty {NASTY}" in browser.find_element(By.CLASS_NAME, "kicker").text
    widths = browser.execute_script(
        "return Array.from(document.images, image => image.complete ? image.naturalWidth : 0)"
    )
    assert len(widths) >= 10
    assert all(width > 0 for width in widths)
    table = browser.find_element(By.CSS_SELECTOR, "table.sortable")
    before = column(table, 4)
    assert before == sorted(before, reverse=True)
    button = table.find_elements(By.CSS_SELECTOR, "thead button")[3]
    for expected in (sorted(before), sorted(before, reverse=True)):
        browser.execute_script("arguments[0].scrollIntoView({behavior: 'instant', block: 'center'})", button)
        button.click()
        assert column(table, 4) == expected
    headers = table.find_elements(By.CSS_SELECTOR, "thead th")
    assert [header.get_attribute("aria-sort") for header in headers] == [None] * 3 + ["descending"] + [None] * 2
    table.find_elements(By.CSS_SELECTOR, "thead button")[0].click()
    names = column(table, 1)
    assert names == sorted(names)
    link = browser.find_element(By.CSS_SELECTOR, 'nav a[href="#limitations"]')
    browser.execute_script("window.scrollTo({top: 0, behavior: 'instant'}); arguments[0].click()", link)
    WebDriverWait(browser, 5).until(lambda driver: driver.execute_script("return scrollY") > 1000)


def column(table: WebElement, number: int) -> list[str]:
    return [cell.text for cell in table.find_elements(By.CSS_SELECTOR, f"tbody tr > :nth-child({number})")]


def test_from_disk(browser: webdriver.Chrome, report_file: Path) -> None:
    browser.get(report_file.as_uri())
    check_content(browser)
    assert errors(browser) == []


def test_on_a_phone_nothing_sticks_out(browser: webdriver.Chrome, report_file: Path) -> None:
    phone = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", phone)
    try:
        browser.get(report_file.as_uri())
        width = browser.execute_script("return document.documentElement.scrollWidth")
        captions, names = browser.execute_script(
            "for (const part of document.querySelectorAll('main .scroll')) part.scrollLeft = 10000;"
            "const edges = (what, edge) => Array.from(document.querySelectorAll(what))"
            ".map(part => part.getBoundingClientRect()).filter(box => box.width > 0).map(box => box[edge]);"
            "return [edges('main caption', 'right'), edges('#results tbody th', 'left')]"
        )
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert width <= 360
    assert len(captions) > 3
    assert max(captions) <= 360, "a caption is cut"
    assert len(names) > 5
    assert min(names) >= 0, "rows lose their names where one reads on to the right"


def test_on_paper_it_is_short_and_whole(
    browser: webdriver.Chrome, make_report: MakeReport, tmp_path_factory: pytest.TempPathFactory
) -> None:
    page = tmp_path_factory.mktemp("paper") / "report.html"
    data = make_report(noise=0.9)
    baselines, ranking = baselines_summary(data.results, {"logistic": make_report(noise=0.5).results}, (0.5, 0.43))
    summary = {**data.summary, "baselines": baselines, "ranking": ranking}
    page.write_text(report_html(make_report(noise=0.9, summary=summary)), encoding="utf-8")
    browser.get(page.as_uri())
    printed = base64.b64decode(browser.print_page())
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 8
    paper = {"width": 690, "height": 1000, "deviceScaleFactor": 1, "mobile": False}  # A4 less its margins, CSS pixels
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", paper)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    try:
        cut = browser.execute_script(
            "return Array.from(document.querySelectorAll('main table, main figure, main dl, main pre'))"
            ".filter(part => part.getBoundingClientRect().right > innerWidth + 1).map(part => part.textContent)"
        )
        scrolled = browser.execute_script(
            "return Array.from(document.querySelectorAll('.scroll, .paper'))"
            ".filter(part => getComputedStyle(part).overflowX !== 'visible').length"
        )
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    assert cut == []
    assert scrolled == 0


def test_without_javascript_it_is_a_plain_table(browser: webdriver.Chrome, report_file: Path) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(report_file.as_uri())
        headers = browser.find_elements(By.CSS_SELECTOR, "table.sortable thead th")
        assert [header.text for header in headers][:3] == ["subject", "true class", "trials"]
        assert browser.find_elements(By.TAG_NAME, "button") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


@pytest.fixture
def server(store: Path, report_file: Path) -> Iterator[str]:
    """A real MLflow server over a store that holds one run with the report; gives the run's page."""
    import mlflow

    # Recorded through the server's own artifact root, so that it may be served from there.
    experiment_id = mlflow.create_experiment("report", artifact_location=(store / "artifacts").as_uri())
    with mlflow.start_run(experiment_id=experiment_id) as run:
        mlflow.log_artifact(str(report_file))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    command += ["--backend-store-uri", f"sqlite:///{store / 'mlflow.db'}", "--artifacts-destination", str(store)]
    environment = clean_environment() | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # starts in half the time
    with (store / "server.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=store, env=environment, stdout=log, stderr=log)
        try:
            wait_for(f"{address}/health", process)
            yield f"{address}/#/experiments/{experiment_id}/runs/{run.info.run_id}/artifacts/report.html"
        finally:
            process.terminate()
            process.wait(timeout=20)


def wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        try:
            with urllib.request.urlopen(url, timeout=2):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    raise AssertionError(f"no MLflow server at {url}")


def test_inside_the_mlflow_ui(browser: webdriver.Chrome, server: str) -> None:
    errors(browser)  # those of earlier pages
    browser.get(server)

    def report_frame(driver: webdriver.Chrome) -> bool:
        for frame in driver.find_elements(By.TAG_NAME, "iframe"):
            try:
                driver.switch_to.frame(frame)
                if driver.find_elements(By.TAG_NAME, "h1"):
                    return True
            except WebDriverException:  # the page has replaced the frame meanwhile
                pass
            driver.switch_to.default_content()
        return False

    WebDriverWait(browser, 40).until(report_frame)
    check_content(browser)
    address = browser.execute_script("return location.href")
    browser.switch_to.default_content()
    # What the UI itself complains of (a server without network, say) is not ours.
    ours = [entry for entry in errors(browser) if address in entry["message"] or "Content Security" in entry["message"]]
    assert ours == []


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The link that a small study printed, to a server over its store."""
    folder = tmp_path_factory.mktemp("study")
    done = step("main", folder, **SMALL)
    assert done.returncode == 0, done.stderr[-2000:]
    server = Server(folder / "server", f"sqlite:///{folder / 'mlflow.db'}").start()
    try:
        yield done.stdout.splitlines()[-1].strip().replace("http://127.0.0.1:5000", server.uri)
    finally:
        server.kill()


def text(driver: webdriver.Chrome) -> str:
    return str(driver.execute_script("return document.body.innerText"))


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_printed_link_opens_the_study(browser: webdriver.Chrome, printed: str) -> None:
    browser.get("about:blank")
    browser.get(printed)
    # The model's name is on the page last, after its table has been fetched.
    WebDriverWait(browser, 40).until(lambda driver: "Logged models (1)" in text(driver))
    page = text(browser)
    assert "fear: simulated, soft_multirocket, loso" in page
    assert "AUC of subjects" in page
    assert "simpler method" in page
    assert "fear-simulated" in page
    match = re.search(r"Metrics \((\d+)\)", page)
    assert match is not None
    assert int(match[1]) <= 30
    assert "Model training" in page, "the pages for models, not those for language models"


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_charts_of_a_fold_open_on_its_curves(browser: webdriver.Chrome, printed: str) -> None:
    address = re.fullmatch(r"(http://[^/]+)/#/experiments/(\d+)/runs/[0-9a-f]+(\?.*)", printed)
    assert address is not None
    server, experiment_id, query = address.groups()
    (fold, *_) = MlflowClient(server).search_runs([experiment_id], "tags.entry_point = 'fold'")
    assert "threshold_0.35/accuracy" in fold.data.metrics
    browser.get("about:blank")
    browser.get(f"{server}/#/experiments/{experiment_id}/runs/{fold.info.run_id}/model-metrics{query}")
    sections = r"^(.+)\s\(\d+\)$"  # as in "curves (2)"
    WebDriverWait(browser, 40).until(lambda driver: "threshold_0.35" in re.findall(sections, text(driver), re.M))
    assert re.findall(sections, text(browser), re.M)[0] == "curves"
    # A line drawn point by point, not a bar.
    WebDriverWait(browser, 40).until(
        lambda driver: len(driver.find_elements(By.CSS_SELECTOR, ".lines path.js-line")) >= 2
    )
