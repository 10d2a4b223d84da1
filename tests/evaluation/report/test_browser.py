"""The page in a browser: no errors, nothing cut off, figures by mouse and keyboard, sorting."""

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

from classicface.evaluation.report import write_report
from classicface.evaluation.report.formats import decimals, duration
from classicface.evaluation.results import Comparison

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
DESKTOP, PHONE = (1280, 900), (360, 740)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """Return a headless Chromium, or skip: none is ever downloaded."""
    webdriver = pytest.importorskip("selenium.webdriver")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    program = next((path for name in names if (path := shutil.which(name))), None)
    driver = shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver in PATH; install both to run this test")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def page(full: Comparison, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a report's page."""
    folder = tmp_path_factory.mktemp("report")
    return write_report(full, folder, n_gallery=3)[0].as_uri()


@pytest.fixture(params=[DESKTOP, PHONE], ids=["desktop", "phone"])
def opened(browser: Any, page: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """Open the page in a window of each size; the console stays empty."""
    width, height = request.param
    phone = request.param == PHONE
    screen = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    browser.get(page)
    browser.is_phone = phone
    yield browser
    assert browser.get_log("browser") == []


def find(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def point(browser: Any, method: int) -> Any:
    """Return the point of a method in the chart that is shown, in the middle of the window."""
    chart = ".chart.narrow" if browser.is_phone else ".chart.wide"
    found = find(browser, f'{chart} .point[data-method="{method}"]')
    browser.execute_script(
        "arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", found
    )
    return found


def tip_of(browser: Any) -> str:
    tip = find(browser, "#tip")
    return tip.text if tip.is_displayed() else ""


def rows(browser: Any) -> list[str]:
    return browser.execute_script(
        "return [...document.querySelectorAll('table.main tbody .name')].map(n => n.textContent)"
    )


def assert_tip(browser: Any, full: Comparison, method: int) -> None:
    """Check the figures, and that the tooltip lies within the window."""
    result, text = full.methods[method], tip_of(browser)
    mean, speed = result.accuracy["interocular"].mean, result.speed
    assert speed is not None
    assert text.splitlines()[0] == result.name
    assert f"{decimals(mean.value)} % ({decimals(mean.low)} to {decimals(mean.high)})" in text
    assert duration(speed.one_face_us) in text
    left, top, right, bottom, width, height = browser.execute_script(
        "const b = document.getElementById('tip').getBoundingClientRect(),"
        " d = document.documentElement;"
        "return [b.left, b.top, b.right, b.bottom, d.clientWidth, d.clientHeight]"
    )
    assert left >= 0 and top >= 0 and right <= width and bottom <= height


def test_nothing_is_wider_than_the_window(opened: Any) -> None:
    inner, outer = opened.execute_script(
        "const d = document.documentElement; return [d.scrollWidth, d.clientWidth]"
    )
    assert inner <= outer
    images = opened.execute_script(
        "for (const image of document.images) image.loading = 'eager';"
        "return Promise.all([...document.images].map(image => image.decode()))"
        ".then(() => [...document.images].filter(i => i.naturalWidth !== 160).length)"
    )
    assert images == 0


def test_the_chart_of_this_width_is_shown(opened: Any) -> None:
    assert find(opened, ".chart.narrow svg").is_displayed() == opened.is_phone
    assert find(opened, ".chart.wide svg").is_displayed() != opened.is_phone
    size = opened.execute_script(
        "const shown = [...document.querySelectorAll('.chart svg')].filter(s => s.clientWidth);"
        "return Math.min(...shown.flatMap(s => [...s.querySelectorAll('text')].map(t =>"
        " parseFloat(getComputedStyle(t).fontSize) * s.clientWidth / s.viewBox.baseVal.width)))"
    )
    assert size >= 9.5  # pixels of the smallest text


def test_a_mouse_shows_the_figures_and_lights_the_rows(opened: Any, full: Comparison) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    for method in (0, len(full.methods) - 1):
        ActionChains(opened).move_to_element(point(opened, method)).perform()
        assert_tip(opened, full, method)
        lit = opened.execute_script(
            "return [...document.querySelectorAll('table.main tr.on')].map(r => r.dataset.method)"
        )
        assert lit == [str(method)]
    heading = find(opened, "#methods h2")
    ActionChains(opened).move_to_element(heading).perform()
    assert tip_of(opened) == ""
    assert opened.find_elements("css selector", ".on") == []


def test_a_row_lights_the_point(opened: Any) -> None:
    from selenium.webdriver.common.action_chains import ActionChains

    row = find(opened, 'table.main tr[data-method="2"] .name')
    ActionChains(opened).scroll_to_element(row).move_to_element(row).perform()
    lit = opened.execute_script(
        "return [...document.querySelectorAll('.point.on')].map(p => p.dataset.method)"
    )
    assert lit == ["2", "2"]


def test_the_keyboard_reaches_the_figures(opened: Any, full: Comparison) -> None:
    from selenium.webdriver.common.keys import Keys

    first = point(opened, 0)
    assert full.methods[0].name in first.get_attribute("aria-label")
    opened.execute_script("arguments[0].focus()", first)
    assert_tip(opened, full, 0)
    opened.switch_to.active_element.send_keys(Keys.TAB)
    focused = opened.switch_to.active_element.get_attribute("data-method")
    assert_tip(opened, full, int(focused))
    opened.switch_to.active_element.send_keys(Keys.ESCAPE)
    assert tip_of(opened) == ""


def test_a_tap_shows_the_figures(opened: Any, full: Comparison) -> None:
    opened.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": True})
    try:
        box = opened.execute_script(
            "const b = arguments[0].querySelector('.reach').getBoundingClientRect();"
            "return [b.x + b.width / 2, b.y + b.height / 2]",
            point(opened, 1),
        )
        place = [{"x": box[0], "y": box[1]}]
        for kind, points in (("touchStart", place), ("touchEnd", [])):
            event = {"type": kind, "touchPoints": points}
            opened.execute_cdp_cmd("Input.dispatchTouchEvent", event)
        assert_tip(opened, full, 1)
    finally:
        opened.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": False})


def test_columns_sort_both_ways(opened: Any, full: Comparison) -> None:
    names = [method.name for method in full.methods]
    assert rows(opened) == names

    def time(method: Any) -> float:
        return method.speed.one_face_us

    by_time = [method.name for method in sorted(full.methods, key=time)]
    heads = opened.find_elements("css selector", "table.main thead th")
    (head,) = [head for head in heads if "One face" in head.get_attribute("textContent")]
    button = head.find_element("css selector", "button")
    for direction, order in (("ascending", by_time), ("descending", by_time[::-1])):
        opened.execute_script("arguments[0].focus()", button)
        button.send_keys("\n")
        assert head.get_attribute("aria-sort") == direction
        assert rows(opened) == order
    assert len(opened.find_elements("css selector", "table.main th[aria-sort]")) == 1
    (head,) = [head for head in heads if "Training" in head.get_attribute("textContent")]
    for _ in range(2):  # what is not known comes last, either way
        opened.execute_script("arguments[0].click()", head.find_element("css selector", "button"))
        assert rows(opened)[0] == "outside"


def test_without_script_the_page_is_complete(browser: Any, page: str) -> None:
    browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": True})
    try:
        browser.get(page)
        for selector in ("table.main", ".chart svg", "table.pictures", "#measured"):
            assert browser.find_elements("css selector", selector)
        assert browser.find_elements("css selector", "thead button") == []
    finally:
        browser.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": False})


def test_dark_and_print(browser: Any, page: str) -> None:
    def paper(media: str, scheme: str) -> str:
        feature = {"name": "prefers-color-scheme", "value": scheme}
        setting = {"media": media, "features": [feature]}
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", setting)
        return browser.execute_script("return getComputedStyle(document.body).backgroundColor")

    browser.get(page)
    try:
        assert paper("screen", "light") == paper("print", "dark") == "rgb(255, 255, 254)"
        assert paper("screen", "dark") == "rgb(20, 24, 28)"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})
