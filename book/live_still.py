"""Store a finished run in live/panel.html, so that the picture shows something before it is started.

python book/live_still.py    after a change of the scenes, the network or the losses; takes a minute
"""

import shutil

from live_picture import LIVE, stand_alone
from playwright.sync_api import Browser, sync_playwright

AS_STORED = """() => {
    const live = document.getElementById("live");
    live.querySelector(".live-controls").hidden = true;
    live.querySelector("#live-run").textContent = "Start";
    live.querySelector(".live-status").textContent = "Stored with the page: 600 steps with seed 0.";
    return live.outerHTML + "\\n";
}"""


def finished_panel(browser: Browser) -> str:
    """The panel after a run with the controls as they stand."""
    page = browser.new_page()
    page.set_content(stand_alone())
    page.click("#live-run")
    page.get_by_text("Finished").wait_for(timeout=1_200_000)
    panel: str = page.evaluate(AS_STORED)
    page.close()
    return panel


if __name__ == "__main__":
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        (LIVE / "panel.html").write_text(finished_panel(browser), encoding="utf-8")
        browser.close()
