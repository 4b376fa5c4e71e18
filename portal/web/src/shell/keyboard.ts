import { useEffect, useRef } from "react";

/** Keys: one listener for the window; pages say which keys do what while they are open. */
export interface Binding {
  /** As "p", "g h", "mod+k", "shift+r", "?". */
  keys: string;
  label: string;
  group: "go" | "list" | "edit" | "view";
  run: () => void;
}

const bound = new Set<{ current: Binding[] }>();
let pending = "";
let pendingTimer = 0;

export const bindings = (): Binding[] => [...bound].flatMap((one) => one.current);

function pressed(event: KeyboardEvent): string {
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const shifted = event.shiftKey && /^[a-z]$/.test(key) ? "shift+" : "";
  return `${event.metaKey || event.ctrlKey ? "mod+" : ""}${shifted}${key}`;
}

function typing(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return Boolean(element?.closest?.("input,textarea,select,[contenteditable=true],.cm-editor,[role=combobox]"));
}

function onKey(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.altKey || event.isComposing) return;
  const key = pressed(event);
  if (typing(event.target) && !key.startsWith("mod+")) return;
  if (!key.startsWith("mod+") && document.querySelector(".ant-modal-wrap:not([style*='display: none']) .ant-modal")) return;
  const all = bindings();
  const whole = pending ? `${pending} ${key}` : key;
  const found = all.find((one) => one.keys === whole) ?? all.find((one) => one.keys === key);
  window.clearTimeout(pendingTimer);
  pending = "";
  if (found) {
    event.preventDefault();
    found.run();
  } else if (all.some((one) => one.keys.startsWith(`${key} `))) {
    pending = key;
    pendingTimer = window.setTimeout(() => (pending = ""), 1200);
  }
}

export const startKeyboard = (): void => window.addEventListener("keydown", onKey);

/** Bind keys while a component is there; the newest that says a key has it. */
export function useKeys(wanted: Binding[]): void {
  const held = useRef(wanted);
  held.current = wanted;
  useEffect(() => {
    const mine = held;
    bound.add(mine);
    return () => void bound.delete(mine);
  }, []);
}

/** Put the cursor into the filter of the page, which "/" does. */
export function focusFilter(): void {
  document.querySelector<HTMLInputElement>("main input[data-filter], main [data-filter] input")?.focus();
}
