"""Debian's Chromium, without a window, driven by the driver that comes with it."""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import ActionChains, Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.remote.webelement import WebElement

from tests.engines.daemon import EngineUnavailableError

__all__ = ["DESKTOP", "PHONE", "Browser", "chromium"]

DESKTOP, PHONE = (1280, 800), (390, 844)
_ARGUMENTS = (
    "--headless=new",
    "--hide-scrollbars",
    "--no-sandbox",  # it refuses to run as root otherwise, and only our own pages are shown
    "--disable-dev-shm-usage",
)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start it.

    Raises:
        EngineUnavailableError: it is not there, or doesn't start.
    """
    found = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise EngineUnavailableError(f"no {' and no '.join(missing)} here")
    options = ChromeOptions()
    options.binary_location = found["chromium"] or ""
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    # The driver listens on this machine, whatever proxy there is.
    with patch.dict(os.environ, no_proxy="localhost,127.0.0.1"):
        try:
            driver = Chrome(options=options, service=Service(found["chromedriver"]))
        except WebDriverException as error:
            raise EngineUnavailableError(f"chromium doesn't start: {error.msg}") from error
        try:
            yield Browser(driver)
        finally:
            driver.quit()


@dataclass(frozen=True)
class Browser:
    """One page at a time."""

    driver: Chrome

    def open(
        self,
        page: Path,
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
        still: bool = True,
        medium: str = "",
        script: bool = True,
    ) -> None:
        """Show a page.

        Args:
            page: its file.
            size: of the window, in pixels.
            dark: the system is set to dark colours.
            still: the system is set to have little motion, which keeps clicks where they should go.
            medium: ``print``, or the screen.
            script: scripts are run.
        """
        self.show(size, dark=dark, still=still, medium=medium)
        self.command("Emulation.setScriptExecutionDisabled", value=not script)
        self.driver.get("about:blank")
        self.complaints()
        self.requests()
        self.driver.get(page.as_uri())

    def show(
        self,
        size: tuple[int, int] = DESKTOP,
        *,
        dark: bool = False,
        still: bool = True,
        medium: str = "",
    ) -> None:
        """Show the same page otherwise; the arguments are those of `open`."""
        width, height = size
        self.command(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        features = {
            "prefers-color-scheme": "dark" if dark else "light",
            "prefers-reduced-motion": "reduce" if still else "no-preference",
        }
        self.command(
            "Emulation.setEmulatedMedia",
            media=medium,
            features=[{"name": name, "value": value} for name, value in features.items()],
        )

    def command(self, name: str, **parameters: object) -> dict[str, Any]:
        """Use the browser's own protocol."""
        answer: dict[str, Any] = self.driver.execute_cdp_cmd(name, parameters)
        return answer

    def run(self, script: str, *arguments: object) -> Any:  # noqa: ANN401 - whatever that returns
        """Run a function's body in the page."""
        return self.driver.execute_script(script, *arguments)

    def all(self, selector: str) -> list[WebElement]:
        """Return the elements that a CSS selector means."""
        return self.driver.find_elements("css selector", selector)

    def one(self, selector: str) -> WebElement:
        """Return the first of them."""
        return self.driver.find_element("css selector", selector)

    def texts(self, selector: str) -> list[str]:
        """Return what is written in them, seen or not."""
        return [str(element.get_property("textContent")) for element in self.all(selector)]

    def keys(self, *keys: str) -> None:
        """Press keys, one after the other."""
        ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def complaints(self) -> list[str]:
        """Return what the console got since it was last asked."""
        return [str(line["message"]) for line in self._log("browser")]

    def requests(self) -> list[str]:
        """Return what pages asked for since then: addresses."""
        events = [json.loads(line["message"])["message"] for line in self._log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def _log(self, kind: str) -> list[dict[str, Any]]:
        lines: list[dict[str, Any]] = self.driver.get_log(kind)  # type: ignore[no-untyped-call]
        return lines

    def picture(self, clip: Sequence[int]) -> bytes:
        """Return a PNG of a part of the page: left, top, width, height."""
        left, top, width, height = clip
        answer = self.command(
            "Page.captureScreenshot",
            captureBeyondViewport=True,
            clip={"x": left, "y": top, "width": width, "height": height, "scale": 1},
        )
        return base64.b64decode(answer["data"])
