import type { ReactNode } from "react";
import { Dialog, Kbd } from "../kit";
import { useText } from "./i18n";
import { bindings } from "./keyboard";

const GROUPS = ["go", "list", "edit", "view"] as const;

/** The sheet of keys: what is bound on this page, and nothing else. */
export default function KeySheet({ open, onClose }: { open: boolean; onClose: () => void }): ReactNode {
  const say = useText("shell");
  const own = [
    { keys: "j / k", label: say("keys.move"), group: "list" },
    { keys: "space", label: say("keys.select"), group: "list" },
    { keys: "↵", label: say("keys.open"), group: "list" },
    { keys: "esc", label: say("keys.close"), group: "view" },
  ];
  const all = open ? [...bindings(), ...own] : [];
  return (
    <Dialog open={open} onClose={onClose} title={say("keys.title")} width={720}>
      <div className="s-keys">
        {GROUPS.map((group) => {
          const found = all.filter((one) => one.group === group);
          if (found.length === 0) return null;
          return (
            <section key={group}>
              <h3>{say(`keys.${group}`)}</h3>
              <dl>
                {found.map((one) => (
                  <div key={one.keys}>
                    <dt><Kbd keys={one.keys.replace("mod+", navigator.platform.startsWith("Mac") ? "⌘ " : "Ctrl ").replace("shift+", "⇧ ")} /></dt>
                    <dd>{one.label}</dd>
                  </div>
                ))}
              </dl>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}
