"""The MLflow UI on a sweep's database, in a real browser.

With INITODDS_SCREENSHOTS=folder, pictures of the pages are kept there.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

from initodds.commands import ui
from initodds.tracking import loading
from initodds.tracking import store as store_module
from tests.conftest import free_port, wait_for_server
from tests.processes import command

pytestmark = [pytest.mark.browser, pytest.mark.soak]

Found = TypeVar("Found")

# As the quickstart, and smaller: fewer cells, replicates and epochs.
QUICKSTART = ("experiment=quickstart", "init=half,unit", "sgd.batch_size=10", "replicates=4", "sgd.epochs=3")


@pytest.fixture(scope="module")
def browser() -> Iterator[WebDriver]:
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for option in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--window-size=1500,1050",
    ):
        options.add_argument(option)
    window = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    yield window
    window.quit()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the sweep ran in."""
    path = tmp_path_factory.mktemp("quickstart")
    done = command(path, *QUICKSTART)
    assert done.returncode == 0, done.stderr
    return path


@pytest.fixture(scope="module")
def address(folder: Path) -> Iterator[str]:
    """Of the experiment's page, as `make ui` serves it and says it."""
    port = free_port()
    program = [sys.executable, "-m", "mlflow", "ui", "--backend-store-uri", "sqlite:///mlflow.db", "--port", str(port)]
    with (folder / "ui.log").open("w") as log:
        process = subprocess.Popen(program, cwd=folder, stdout=log, stderr=log)
    wait_for_server(f"http://127.0.0.1:{port}")
    yield f"http://127.0.0.1:{port}/#/experiments/1/runs"
    process.terminate()
    process.wait(timeout=30)


def seen(browser: WebDriver, look: Callable[[WebDriver], Found]) -> Found:
    """What `look` returns as soon as there is something."""
    try:
        return WebDriverWait(browser, 60).until(look)
    except TimeoutException:
        pytest.fail(f"not seen at {browser.current_url}: {text_of(browser)[:3000]}")


def text_of(browser: WebDriver) -> str:
    return browser.find_element(By.TAG_NAME, "body").text


def keep_picture(browser: WebDriver, name: str) -> None:
    if target := os.environ.get("INITODDS_SCREENSHOTS"):
        for button in browser.find_elements(By.CSS_SELECTOR, "aside button[aria-label='Close'], [aria-label='Close']"):
            browser.execute_script("arguments[0].click()", button)
        time.sleep(3)  # for what moves to come to rest
        browser.save_screenshot(f"{target}/{name}.png")


def names(browser: WebDriver) -> list[str]:
    """The runs in the list, from top to bottom."""
    links = [link for link in browser.find_elements(By.CSS_SELECTOR, "a[href*='/runs/']") if link.text]
    return [link.text for link in sorted(links, key=lambda link: link.location["y"])]


def cell_run(folder: Path, init: str):
    store = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    condition = f"tags.level = 'cell' and params.init = '{init}' and params.`sgd.learning_rate` = '3.0'"
    return store_module.search(store, condition)[0]


def expand(browser: WebDriver, name: str) -> None:
    """Unfold the children of a run in the list."""
    row = f"//a[.//text()={name!r}]/ancestor::div[@role='gridcell']//button"
    button = seen(browser, lambda window: window.find_elements(By.XPATH, row))
    browser.execute_script("arguments[0].click()", button[0])


def test_the_list_shows_sweep_cells_and_replicates(browser: WebDriver, address: str):
    browser.get(f"{address}?workflowType=machine_learning")
    seen(browser, lambda window: names(window) == ["quickstart"])
    expand(browser, "quickstart")
    cells = seen(browser, lambda window: len(names(window)) == 5 and names(window)[1:])
    assert sorted(cells) == sorted(
        f"{law} · rate {rate}" for law in ("U[0, 1]", "U[-0.5, 0.5]") for rate in ("0.3", "3.0")
    )
    expand(browser, cells[0])
    seen(browser, lambda window: len(names(window)) == 9)
    assert sorted(names(browser)[2:6]) == [f"replicate {number}" for number in range(4)]
    keep_picture(browser, "list")


def test_the_link_to_the_cells_opens_on_them(browser: WebDriver, address: str, folder: Path):
    """The most stuck first, with what was swept, the rates and the data."""
    store = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    cells, _, report = ui.links(store, address.partition("/#")[0])
    browser.get("about:blank")
    browser.get(cells[1])
    listed = seen(browser, lambda window: len(names(window)) == 4 and names(window))
    assert [name.split(" ·")[0] for name in listed] == ["U[0, 1]"] * 2 + ["U[-0.5, 0.5]"] * 2
    text = seen(browser, lambda window: "mnist_5k" in text_of(window) and text_of(window))
    for column in ("rate/stuck", "init", "Dataset"):
        assert column in text
    keep_picture(browser, "cells")
    browser.get("about:blank")
    browser.get(report[1])
    frame = seen(browser, lambda window: window.find_elements(By.TAG_NAME, "iframe"))
    browser.switch_to.frame(frame[0])
    seen(browser, lambda window: "16 networks in 4 cells that differ in init, sgd.learning_rate." in text_of(window))
    browser.switch_to.default_content()
    keep_picture(browser, "report-in-ui")


@pytest.mark.parametrize("width", [1200, 400])
def test_the_report_is_read_sorted_and_printed(browser: WebDriver, folder: Path, width: int):
    (page,) = folder.glob("mlruns/initodds/*/artifacts/report.html")
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.get_log("browser")  # of the pages before
    browser.get(page.as_uri())
    # Nothing but what scrolls in its own place is wider than the page.
    assert browser.execute_script("return document.documentElement.scrollWidth") <= width
    pictures = browser.find_elements(By.TAG_NAME, "img")
    assert pictures
    assert all(picture.get_property("naturalWidth") > 100 for picture in pictures)
    (head,) = [cell for cell in browser.find_elements(By.TAG_NAME, "th") if cell.text.startswith("stuck")]
    column = head.get_property("cellIndex")
    for expected in ("descending", "ascending"):
        browser.execute_script("arguments[0].click()", head)
        rows = head.find_elements(By.XPATH, "ancestor::table/tbody/tr")
        counts = [int(row.find_elements(By.TAG_NAME, "td")[column].text.split()[0]) for row in rows]
        assert counts == sorted(counts, reverse=expected == "descending")
        assert head.get_attribute("aria-sort") == expected
    assert not [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert len(browser.execute_cdp_cmd("Page.printToPDF", {})["data"]) > 10_000
    keep_picture(browser, f"report-{width}")
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


def test_a_cells_page_says_why_and_shows_its_curves(browser: WebDriver, address: str, folder: Path):
    run = cell_run(folder, "unit")
    browser.get(f"{address}/{run.info.run_id}?workflowType=machine_learning")
    text = seen(browser, lambda window: "Description" in text_of(window) and text_of(window))
    assert "4 stuck of 4 networks 784-30-10 on mnist_5k" in text
    assert "All 30 hidden units answer 1.000 to nearly every example" in text
    keep_picture(browser, "cell")
    browser.get(f"{address}/{run.info.run_id}/artifacts/curves.svg?workflowType=machine_learning")
    picture = "img[src^='blob:'], img[src*='curves.svg']"
    images = seen(browser, lambda window: window.find_elements(By.CSS_SELECTOR, picture))
    assert seen(browser, lambda window: int(images[0].get_property("naturalWidth")) > 500)
    keep_picture(browser, "figure")


def test_a_replicates_page_shows_its_curves_and_what_is_wrong(browser: WebDriver, address: str, folder: Path):
    store = loading.open_store(f"sqlite:///{folder}/mlflow.db", None)
    run = store_module.search(store, f"tags.`mlflow.parentRunId` = '{cell_run(folder, 'unit').info.run_id}'")[0]
    browser.get(f"{address}/{run.info.run_id}?workflowType=machine_learning")
    seen(browser, lambda window: "It is a flat plateau, not a local minimum" in text_of(window))
    browser.get(f"{address}/{run.info.run_id}/model-metrics?workflowType=machine_learning")
    seen(browser, lambda window: len(window.find_elements(By.CSS_SELECTOR, ".js-plotly-plot .scatterlayer path")) >= 3)
    assert "accuracy" in text_of(browser)
    keep_picture(browser, "replicate")
