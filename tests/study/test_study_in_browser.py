"""A study as its raters meet it, in a real browser."""

import concurrent.futures
import csv
import io
import itertools
import os

import pytest

pytest.importorskip("selenium", reason="selenium is not installed")
pytest.importorskip("starlette", reason="the extra study is not installed")

from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from benchmarks.study.material import make_study
from benchmarks.study.server import end, links_of, served
from rl_tuner.study import folder
from rl_tuner.study.store import Store
from tests import chromium

pytestmark = [pytest.mark.slow, chromium.NEEDED]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The links of a study of three models with 20 comparisons and a check for each rater."""
    study = make_study(
        tmp_path_factory.mktemp("studies") / "one",
        models=("prior", "psi", "g"),
        stimuli=24,
        comparisons=20,
    )
    server, address = served(f"--study_dir={study.folder}", "--raters=20")
    yield itertools.chain(links_of(study.folder, address)), study, address
    end(server)


def heading(driver):
    return driver.title.split(":")[0]


def shows(number, of=21):
    def is_ready(driver):
        state = driver.execute_script("return document.readyState")
        return heading(driver) == f"{number} of {of}" and state == "complete"

    return is_ready


def press(driver, *keys):
    ActionChains(driver).send_keys(*keys).perform()


def by_keyboard(driver, number):
    for count, key in enumerate("ab", 1):
        press(driver, key)
        chromium.wait(driver, lambda d, c=count: d.execute_script("return heard.size") == c)
    press(driver, str(number % 5 + 1), Keys.ENTER)


def by_mouse(driver, number):
    for button in driver.find_elements(By.CSS_SELECTOR, "button.play"):
        button.click()
    driver.find_elements(By.CSS_SELECTOR, ".scale label")[number % 5].click()
    driver.find_element(By.CSS_SELECTOR, "#rating button[type=submit]").click()


def agree_by_mouse(driver):
    driver.find_element(By.CSS_SELECTOR, "button").click()


def agree_by_keyboard(driver):
    press(driver, Keys.TAB, Keys.ENTER)


def rate_all(driver, link, agree, act, reload_at=()):
    driver.get(link)
    agree(driver)
    for number in range(1, 22):
        chromium.wait(driver, shows(number))
        if number in reload_at:
            driver.refresh()
            chromium.wait(driver, shows(number))
            driver.get(link)
            chromium.wait(driver, shows(number))
        act(driver, number)
    chromium.wait(driver, lambda d: d.title == "Thank you")


def ratings(study):
    store = Store(f"sqlite:///{study.folder}/{folder.DATABASE_FILE}", study.id)
    found = store.ratings()
    store.dispose()
    return found


def test_raters_finish_by_mouse_and_by_keyboard_at_once_and_reload(site):
    links, study, _ = site
    before = len(ratings(study))
    ways = [(agree_by_mouse, by_mouse), (agree_by_keyboard, by_keyboard)]

    def one(way, link):
        with chromium.browser() as driver:
            rate_all(driver, link, *way, reload_at=(2, 11))

    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        list(pool.map(one, ways, [next(links), next(links)]))
    found = ratings(study)[before:]
    assert len(found) == 42
    for rater in {row["rater"] for row in found}:
        given = [row["rating"] for row in found if row["rater"] == rater]
        assert given == [number % 5 + 1 for number in range(1, 22)]


def test_both_must_be_heard_and_a_form_that_was_sent_counts_once(site):
    links, study, _ = site
    link, before = next(links), len(ratings(study))
    with chromium.browser() as driver:
        driver.get(link)
        agree_by_mouse(driver)
        chromium.wait(driver, shows(1))
        press(driver, "4", Keys.ENTER)
        told = driver.find_element(By.ID, "told")
        chromium.wait(driver, lambda d: told.text == "Please listen to both first.")
        # Shortcuts can be switched off, for those who dictate.
        box = driver.find_element(By.ID, "shortcuts")
        driver.execute_script("arguments[0].click(); document.activeElement.blur()", box)
        press(driver, "2")
        chosen = driver.find_element(By.CSS_SELECTOR, "input[name=rating]:checked")
        assert chosen.get_attribute("value") == "4"
        by_mouse(driver, 3)
        chromium.wait(driver, shows(2))
        driver.back()
        # The page is fetched again: what was rated is not shown a second time.
        chromium.wait(driver, shows(2))
    assert [row["rating"] for row in ratings(study)[before:]] == [4]


@pytest.mark.parametrize("size", [chromium.PHONE, chromium.DESKTOP])
@pytest.mark.parametrize("dark", [False, True])
def test_every_page_is_accessible_and_fits_its_window(site, size, dark, tmp_path):
    axe = chromium.axe_file(tmp_path)
    links, study, address = site
    link = next(links)
    with chromium.browser(size, dark) as driver:

        def check():
            assert chromium.violations(driver, axe) == [], driver.title
            assert chromium.overflow(driver) <= 0, driver.title

        driver.get(link)
        check()
        agree_by_mouse(driver)
        chromium.wait(driver, shows(1))
        check()
        driver.get(address)
        check()
        driver.get(f"{address}/admin")
        check()
        driver.find_element(By.NAME, "token").send_keys(
            folder.admin_token(study.folder), Keys.ENTER
        )
        chromium.wait(driver, lambda d: "Make links" in d.page_source)
        check()


def test_the_admin_makes_links_closes_and_downloads(tmp_path):
    study = make_study(tmp_path / "study", comparisons=2, checks=0)
    server, address = served(f"--study_dir={study.folder}", "--raters=1")
    try:
        (link,) = links_of(study.folder, address)
        with chromium.browser(downloads=tmp_path) as driver:
            driver.get(link)
            agree_by_mouse(driver)
            for number in (1, 2):
                chromium.wait(driver, shows(number, of=2))
                by_mouse(driver, 0)
            chromium.wait(driver, lambda d: d.title == "Thank you")
            driver.get(f"{address}/admin")
            driver.find_element(By.NAME, "token").send_keys(
                folder.admin_token(study.folder), Keys.ENTER
            )
            chromium.wait(driver, lambda d: "Make links" in d.page_source)
            driver.find_element(By.XPATH, "//button[text()='Make links']").click()
            chromium.wait(driver, lambda d: d.find_elements(By.CSS_SELECTOR, "li.text"))
            driver.find_element(By.CSS_SELECTOR, "input[type=checkbox]").click()
            driver.find_element(By.XPATH, "//button[text()='Close']").click()
            chromium.wait(driver, lambda d: "Times preferred" in d.page_source)
            driver.find_element(By.CSS_SELECTOR, "a.button").click()
            path = tmp_path / "ratings.csv"
            chromium.wait(driver, lambda d: path.exists() and path.stat().st_size)
        rows = [*csv.DictReader(io.StringIO(path.read_text()))]
        assert [row["rating"] for row in rows] == ["1", "1"]
        assert len(links_of(study.folder, address)) == 2
        assert os.stat(f"{study.folder}/links.txt").st_mode & 0o077 == 0
    finally:
        end(server)
