/** Whether somebody uses this page. What a page asks by itself while nobody does keeps no session from its idle end. */
const AFTER = 60_000;

let used = Date.now();

for (const event of ["pointerdown", "pointermove", "keydown", "wheel", "focus"]) {
  window.addEventListener(event, () => (used = Date.now()), { capture: true, passive: true });
}

export const isAway = (now = Date.now()): boolean => now - used > AFTER;
