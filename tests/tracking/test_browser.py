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
from urllib.parse import quote

import pytest
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webdriver import WebDriver
from selenium.webdriver.support.ui import WebDriverWait

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
    assert sorted(" ".join(cell.split()[:3]) for cell in cells) == sorted(
        f"init={init} sgd.batch_size=10 sgd.learning_rate={rate}"
        for init in ("unit", "half")
        for rate in ("0.3", "3.0")
    )
    expand(browser, cells[0])
    seen(browser, lambda window: len(names(window)) == 9)
    assert sorted(names(browser)[2:6]) == [f"replicate {number}" for number in range(4)]
    keep_picture(browser, "list")


def test_cells_can_be_sorted_by_the_stuck_rate(browser: WebDriver, address: str):
    key = quote("metrics.`rate/stuck`")
    for ascending, first in ((False, "init=unit"), (True, "init=half")):
        condition = quote("tags.level = 'cell'")
        browser.get("about:blank")
        browser.get(f"{address}?searchFilter={condition}&orderByKey={key}&orderByAsc={str(ascending).lower()}")
        listed = seen(browser, lambda window: len(names(window)) == 4 and names(window))
        assert listed[0].startswith(first)
        assert not listed[-1].startswith(first)
    assert "rate/stuck" in text_of(browser)


def test_a_cells_page_says_why_and_shows_its_curves(browser: WebDriver, address: str, folder: Path):
    run = cell_run(folder, "unit")
    browser.get(f"{address}/{run.info.run_id}?workflowType=machine_learning")
    text = seen(browser, lambda window: "Description" in text_of(window) and text_of(window))
    assert "4 stuck of 4 networks 784-30-10 on mnist_5k" in text
    assert "All 30 hidden units answer 1.000 to nearly every example" in text
    keep_picture(browser, "cell")
    browser.get(f"{address}/{run.info.run_id}/artifacts/curves.png?workflowType=machine_learning")
    picture = "img[src^='blob:'], img[src*='curves.png']"
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
