"""The play page and a run's report in a real browser."""

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("starlette", reason="the extra study is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.study.server import end, started
from tests import chromium

pytestmark = [pytest.mark.slow, chromium.NEEDED]


@pytest.fixture(scope="module")
def address(finished):
    server, found = started("rl_tuner.play", finished.run_dir, "--port=0")
    yield found
    end(server)


def made(driver):
    return driver.find_elements(By.CSS_SELECTOR, "#made .item")


def make(driver):
    driver.find_element(By.CSS_SELECTOR, "button[type=submit]").click()
    told = driver.find_element(By.ID, "told")
    chromium.wait(driver, lambda d: " made in " in told.text)


def test_it_makes_plays_keeps_and_downloads(address, tmp_path):
    with chromium.browser(downloads=tmp_path) as driver:
        driver.get(address)
        make(driver)
        assert len(made(driver)) == 8
        sound = made(driver)[0].find_element(By.TAG_NAME, "audio")
        chromium.wait(
            driver, lambda d: (d.execute_script("return arguments[0].duration", sound) or 0) > 1
        )
        driver.execute_script("arguments[0].play()", sound)
        chromium.wait(
            driver, lambda d: d.execute_script("return arguments[0].currentTime", sound) > 0.2
        )
        cursor = made(driver)[0].find_element(By.CSS_SELECTOR, ".cursor")
        assert float(cursor.get_attribute("x1")) > float(cursor.get_attribute("data-left"))
        for suffix in ("mid", "musicxml", "abc", "wav"):
            made(driver)[0].find_element(By.LINK_TEXT, suffix).click()
            chromium.wait(driver, lambda d, s=suffix: [*tmp_path.glob(f"melody_*.{s}")])
        made(driver)[0].find_element(By.XPATH, ".//button[text()='Keep']").click()
        make(driver)
        assert len(driver.find_elements(By.CSS_SELECTOR, "#kept .item")) == 1
        assert len(made(driver)) == 8


def test_a_beginning_is_played_on_the_computers_keys_or_given_as_a_file(address, tmp_path):
    tune = tmp_path / "tune.abc"
    tune.write_text("X:1\nT:t\nM:4/4\nL:1/4\nK:C\nG A B c|\n")
    with chromium.browser() as driver:
        driver.get(address)
        keys = driver.find_element(By.ID, "keys")
        keys.click()
        ActionChains(driver).send_keys("a", "d", "g", "x", "a", Keys.BACKSPACE).perform()
        assert keys.get_attribute("value") == "C4·2 E4·2 G4·2"
        make(driver)
        for item in made(driver):
            text = item.find_element(By.CSS_SELECTOR, ".text").text
            assert text.startswith("C4:2 E4:2 G4"), text
        driver.find_element(By.ID, "file").send_keys(str(tune))
        begin = driver.find_element(By.ID, "begin")
        chromium.wait(driver, lambda d: "tune.abc" in begin.text)
        make(driver)
        for item in made(driver):
            text = item.find_element(By.CSS_SELECTOR, ".text").text
            assert text.startswith("G4:4 A4:4 B4:4 C5"), text
        driver.find_element(By.ID, "clear").click()
        assert begin.text == "Nothing: start anew."


@pytest.mark.parametrize("size", [chromium.PHONE, chromium.DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_page_and_report_are_accessible_and_fit_their_window(
    address, finished, size, dark, tmp_path
):
    axe = chromium.axe_file(tmp_path)
    with chromium.browser(size, dark) as driver:
        driver.get(address)
        make(driver)
        assert chromium.violations(driver, axe) == [] and chromium.overflow(driver) <= 0
        driver.get(f"file://{finished.run_dir}/report.html")
        assert chromium.violations(driver, axe) == [] and chromium.overflow(driver) <= 0
