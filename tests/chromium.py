"""A real browser without a window, for tests that need one; they skip where there is none."""

import contextlib
import json
import os
import shutil
import subprocess
import tarfile

import pytest

BINARY = shutil.which("chromium") or shutil.which("chromium-browser") or ""
DRIVER = shutil.which("chromedriver") or ""
PHONE, DESKTOP = (390, 844), (1_200, 800)
NEEDED = pytest.mark.skipif(
    not BINARY or not DRIVER, reason="no Chromium: apt-get install chromium chromium-driver"
)
# File of axe-core; without it, npm is asked.
AXE = "AXE_CORE"


@contextlib.contextmanager
def browser(size=DESKTOP, dark=False, downloads=None):
    """A browser; at the end its console must be without errors."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = BINARY
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-dev-shm-usage",
        "--mute-audio",
        f"--window-size={size[0]},{size[1]}",
    ):
        options.add_argument(argument)
    if downloads:
        options.add_experimental_option("prefs", {"download.default_directory": str(downloads)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    try:
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        screen = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        screen["mobile"] = size == PHONE
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
        yield driver
        assert driver.get_log("browser") == []
    finally:
        driver.quit()


def wait(driver, condition, seconds=20):
    """The first value of condition(driver) that is true."""
    from selenium.common.exceptions import StaleElementReferenceException
    from selenium.webdriver.support.ui import WebDriverWait

    waiting = WebDriverWait(
        driver, seconds, poll_frequency=0.05, ignored_exceptions=[StaleElementReferenceException]
    )
    return waiting.until(condition)


def axe_file(folder):
    """The script of axe-core: that of the environment, or else npm's."""
    if path := os.environ.get(AXE):
        return path
    npm = shutil.which("npm")
    done = npm and subprocess.run(
        [npm, "pack", "axe-core@4", "--silent"], cwd=folder, capture_output=True, text=True
    )
    if not done or done.returncode:
        pytest.skip(f"no axe-core: set {AXE} to its axe.min.js, or install npm")
    with tarfile.open(os.path.join(folder, done.stdout.split()[-1])) as archive:
        archive.extract("package/axe.min.js", folder, filter="data")
    return os.path.join(folder, "package", "axe.min.js")


def violations(driver, axe):
    """What axe-core finds on the page that is shown: rule and elements."""
    with open(axe, encoding="utf-8") as file:
        driver.execute_script(file.read())
    found = driver.execute_async_script(
        "axe.run().then((found) => arguments[0](JSON.stringify(found.violations)))"
    )
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in json.loads(found)]


def overflow(driver):
    """Pixels by which the page is wider than its window."""
    return driver.execute_script(
        "return document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
