import type { ReactNode } from "react";
import { NavLink } from "react-router";
import { Glyph, Icon } from "../kit";
import { useText } from "./i18n";
import { useMay } from "./may";
import { useCounts } from "./places";
import { belongs, useRegistry, whereOf, type Group } from "./registry";
import { useScope } from "./scope";

const GROUPS: Group[] = ["home", "govern", "operate", "observe", "platform"];

/** The rail: what there is and one may see, by group, with live counts. */
export function Rail({ small, onLeave }: { small: boolean; onLeave: () => void }): ReactNode {
  const registry = useRegistry();
  const scope = useScope();
  const may = useMay();
  const counts = useCounts(scope.tenant, scope.environment);
  const say = useText("shell");
  const texts = useText("shell");
  const shown = registry.flatMap((pages) =>
    pages.entries
      .filter((entry) => belongs(entry, scope) && (!entry.permission || may(entry.permission, whereOf(entry, scope))))
      .map((entry) => ({ entry, name: pages.name })),
  );
  return (
    <nav className="s-rail" aria-label={say("rail")} onClick={(event) => (event.target as HTMLElement).closest("a") && onLeave()}>
      {GROUPS.map((group) => {
        const entries = shown.filter((one) => one.entry.group === group);
        if (entries.length === 0) return null;
        return (
          <div key={group} className="s-rail-group" role="group" aria-label={say(`groups.${group}`)}>
            {group !== "home" && <p aria-hidden="true">{small ? "" : say(`groups.${group}`)}</p>}
            <ul>
              {entries.map(({ entry, name }) => {
                const label = texts(`${name}:${entry.label}`);
                const count = entry.count?.(counts);
                const failing = entry.failing?.(counts);
                return (
                  <li key={entry.key}>
                    <NavLink to={entry.to(scope)} title={small ? label : undefined} aria-label={small ? label : undefined}>
                      <Icon name={entry.icon} />
                      {!small && <span className="s-rail-label">{label}</span>}
                      {!small && failing ? (
                        <span className="s-rail-bad" title={say("failing", { count: failing })}>
                          <Glyph hue="bad" size={12} /> {failing.toLocaleString("en-US")}
                        </span>
                      ) : null}
                      {!small && count !== undefined && <span className="s-rail-count">{count.toLocaleString("en-US")}</span>}
                    </NavLink>
                  </li>
                );
              })}
            </ul>
          </div>
        );
      })}
    </nav>
  );
}
