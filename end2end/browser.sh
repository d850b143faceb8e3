#!/usr/bin/env bash
# The browser CHROMIUM as Playwright starts it, without the processes that each of its windows would get for what the address bar suggests:
# they compute longer than most pages. Of several --disable-features only the last one counts, and Playwright has one of its own.
exec "$CHROMIUM" "${@/#--disable-features=/--disable-features=WebUIOmniboxPopup,WebUIOmniboxAimPopup,}"
