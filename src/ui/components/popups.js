// Menus and tooltips: the browser opens and closes popovers, lays them over everything and returns the focus. This adds
// where they stand, the arrow keys and letters of menus, and when a tooltip shows.
(() => {
  const GAP = 4;
  const EDGE = 8;
  const invoker = (menu) => document.querySelector(`[popovertarget="${CSS.escape(menu.id)}"]`);
  const anchorOf = (menu) => document.getElementById(menu.dataset.anchor ?? "") ?? invoker(menu);
  const items = (menu) =>
    [...menu.querySelectorAll('[role^="menuitem"]')].filter((item) => item.ariaDisabled !== "true" && item.offsetParent !== null);

  const place = (popup, anchor, centred) => {
    const box = anchor.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = popup;
    const below = box.bottom + GAP + height + EDGE <= innerHeight || box.top < innerHeight - box.bottom;
    const wanted = centred ? box.left + (box.width - width) / 2 : box.left + width + EDGE > innerWidth ? box.right - width : box.left;
    popup.style.left = `${Math.max(EDGE, Math.min(wanted, innerWidth - width - EDGE))}px`;
    popup.style.top = `${Math.max(EDGE, below ? box.bottom + GAP : box.top - GAP - height)}px`;
    popup.dataset.placed = "";
  };

  let open = null;
  let typed = "";
  let typedAt = 0;
  const onToggle = ({ target: menu, newState }) => {
    if (!(menu instanceof HTMLElement) || menu.role !== "menu") return;
    if (newState === "open") {
      const anchor = anchorOf(menu);
      if (!anchor) return;
      open = menu;
      place(menu, anchor);
      items(menu)[0]?.focus();
    } else {
      delete menu.dataset.placed;
      delete menu.dataset.anchor;
      if (open === menu) open = null;
      if (document.activeElement === document.body) invoker(menu)?.focus();
    }
  };
  document.addEventListener("toggle", onToggle, true);
  const again = () => {
    const anchor = open && anchorOf(open);
    if (anchor) place(open, anchor);
    hide();
  };
  addEventListener("resize", again);
  addEventListener("scroll", again, { capture: true, passive: true });

  const moved = (menu, key) => {
    const all = items(menu);
    const at = all.indexOf(document.activeElement);
    if (key === "ArrowDown") return all[(at + 1) % all.length];
    if (key === "ArrowUp") return all[(at <= 0 ? all.length : at) - 1];
    if (key === "Home") return all[0];
    if (key === "End") return all.at(-1);
    if (key.length !== 1 || key === " ") return null;
    typed = Date.now() - typedAt > 600 ? key : typed + key;
    typedAt = Date.now();
    const start = typed.toLowerCase();
    const from = typed.length === 1 ? at + 1 : Math.max(at, 0);
    const inTurn = [...all.slice(from), ...all.slice(0, from)];
    return inTurn.find((item) => item.textContent.trim().toLowerCase().startsWith(start));
  };
  // The commands and the list of shortcuts, on every page.
  document.addEventListener("keydown", (key) => {
    const typing = key.target.closest?.('input, textarea, select, [contenteditable=""], [contenteditable="true"]');
    if ((key.ctrlKey || key.metaKey) && !key.altKey && !key.shiftKey && key.key.toLowerCase() === "k") {
      key.preventDefault();
      document.getElementById("open-commands")?.click();
    } else if (key.key === "?" && !typing && !key.ctrlKey && !key.metaKey && !document.querySelector("dialog[open]")) {
      key.preventDefault();
      document.getElementById("open-help")?.click();
    }
  });
  document.addEventListener("keydown", (key) => {
    hide();
    const menu = key.target.closest?.('[role="menu"]');
    if (!menu) {
      const button = key.target.closest?.('[aria-haspopup="menu"]');
      if (button && ["ArrowDown", "ArrowUp"].includes(key.key)) {
        key.preventDefault();
        button.click();
      }
      return;
    }
    if (key.key === "Tab") {
      key.preventDefault();
      menu.hidePopover();
    } else if (!key.ctrlKey && !key.metaKey && !key.altKey) {
      const item = moved(menu, key.key);
      if (!item) return;
      key.preventDefault();
      item.focus();
    }
  });
  // The menu of a line: a list names it in `data-menu`. By the menu key or Shift+F10, that of the line where the keyboard is.
  document.addEventListener("contextmenu", (event) => {
    const list = event.target.closest?.("[data-menu]");
    const menu = list && document.getElementById(list.dataset.menu);
    if (!menu) return;
    event.preventDefault();
    const line = event.target.closest('[role="treeitem"]')?.id ?? list.getAttribute("aria-activedescendant");
    const show = () => {
      menu.dataset.anchor = line ?? "";
      menu.showPopover();
    };
    // Otherwise the released button would close it.
    if (event.buttons) addEventListener("pointerup", () => setTimeout(show), { once: true });
    else show();
  });
  // In the capture phase: an item's action may move the focus, and takes precedence.
  document.addEventListener(
    "click",
    (click) => {
      hide();
      const item = click.target.closest?.('[role^="menuitem"]');
      if (item?.ariaDisabled === "true") {
        click.preventDefault();
        click.stopPropagation();
      } else if (item) item.closest('[role="menu"]')?.hidePopover?.();
    },
    true,
  );
  // For browsers without `closedby`: a press beside a dialog closes it.
  document.addEventListener("click", ({ target, clientX, clientY, detail }) => {
    if (!(target instanceof HTMLDialogElement) || !target.open || detail === 0) return;
    const box = target.getBoundingClientRect();
    const inside = clientX >= box.left && clientX <= box.right && clientY >= box.top && clientY <= box.bottom;
    if (!inside) target.close();
  });

  let tooltip;
  let timer;
  let shownAt = 0;
  const hide = () => {
    clearTimeout(timer);
    if (!tooltip?.matches(":popover-open")) return;
    shownAt = Date.now();
    tooltip.hidePopover();
  };
  const show = (anchor) => {
    const text = anchor.dataset.tooltip;
    if (!text || !anchor.isConnected || (open && anchor === invoker(open))) return;
    if (!tooltip) {
      tooltip = document.createElement("div");
      tooltip.className = "tooltip";
      tooltip.popover = "manual";
      tooltip.ariaHidden = "true";
    }
    // Into the open dialog, if any: everything outside is inert.
    (anchor.closest("dialog") ?? document.body).append(tooltip);
    tooltip.textContent = text;
    tooltip.showPopover();
    place(tooltip, anchor, true);
  };
  const soon = (anchor) => {
    hide();
    timer = setTimeout(() => show(anchor), Date.now() - shownAt < 300 ? 0 : 450);
  };
  document.addEventListener("pointerover", ({ target, relatedTarget, pointerType }) => {
    if (pointerType === "touch") return;
    const anchor = target.closest?.("[data-tooltip]");
    if (anchor && !anchor.contains(relatedTarget)) soon(anchor);
  });
  document.addEventListener("pointerout", ({ target, relatedTarget }) => {
    const anchor = target.closest?.("[data-tooltip]");
    if (anchor && !anchor.contains(relatedTarget)) hide();
  });
  document.addEventListener("focusin", ({ target }) => {
    const anchor = target.closest?.("[data-tooltip]");
    if (anchor && target.matches(":focus-visible")) soon(anchor);
    else hide();
  });
  document.addEventListener("focusout", hide);
})();
