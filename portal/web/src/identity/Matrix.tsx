import { Fragment, useMemo, type ReactNode } from "react";
import type { Permission } from "../api";
import { Check, Glyph } from "../kit";
import { useText } from "../shell";
import { expanded } from "./people";

const ORDER = ["list", "read", "reveal", "create", "update", "delete", "publish", "approve", "rollback", "execute", "grant"];

interface Kind {
  capability: string;
  kind: string;
  verbs: Map<string, Permission>;
}

/** Every permission by capability and kind against its verb. With `onChange` it is edited: what is written becomes what is meant. */
export function Matrix(props: { permissions: Permission[]; lines: string[]; before?: string[]; words?: string; onChange?: (lines: string[]) => void }): ReactNode {
  const { permissions, lines, before, words = "", onChange } = props;
  const say = useText("identity");
  const held = useMemo(() => expanded(lines, permissions), [lines, permissions]);
  const was = useMemo(() => (before ? expanded(before, permissions) : undefined), [before, permissions]);
  const wanted = words.trim().toLowerCase();
  const shown = permissions.filter((one) => `${one.name} ${one.meaning}`.toLowerCase().includes(wanted));
  const kinds = byKind(shown);
  const verbs = [...new Set(permissions.map((one) => verbOf(one.name)))].sort((one, other) => ORDER.indexOf(one) - ORDER.indexOf(other));
  const capabilities = [...new Set(kinds.map((one) => one.capability))];
  const set = (names: string[], on: boolean): void => onChange?.(changed(lines, permissions, names, on));
  if (shown.length === 0) return <p className="i-form k-quiet">{say("roles.noPermission", { words })}</p>;
  return (
    <div className="i-matrix-holder">
      <table className="i-matrix">
        <thead>
          <tr>
            <th scope="col">{say("roles.what")}</th>
            {verbs.map((verb) => <th key={verb} scope="col">{verb}</th>)}
          </tr>
        </thead>
        <tbody>
          {capabilities.map((capability) => {
            const own = kinds.filter((one) => one.capability === capability);
            return (
              <Fragment key={capability}>
                <tr className="i-matrix-group"><th scope="rowgroup" colSpan={verbs.length + 1}>{capability}</th></tr>
                {own.map((one) => {
                  const all = [...one.verbs.values()].map((permission) => permission.name);
                  const some = all.filter((name) => held.has(name)).length;
                  return (
                    <tr key={one.kind}>
                      <th scope="row">
                        {onChange ? <Check checked={some === all.length} some={some > 0 && some < all.length} onChange={(on) => set(all, on)}><code>{one.kind}</code></Check> : <code>{one.kind}</code>}
                      </th>
                      {verbs.map((verb) => {
                        const permission = one.verbs.get(verb);
                        if (!permission) return <td key={verb} />;
                        const on = held.has(permission.name);
                        return (
                          <td key={verb} title={`${permission.name}: ${permission.meaning}`} className={was && was.has(permission.name) !== on ? "i-changed" : undefined}>
                            {onChange ? (
                              <Check label={`${permission.name}: ${permission.meaning}`} checked={on} onChange={(next) => set([permission.name], next)} />
                            ) : on ? (
                              <span role="img" aria-label={`${permission.name}: ${say("roles.yes")}`}><Glyph hue="ok" /></span>
                            ) : (
                              <span className="k-quiet" aria-label={`${permission.name}: ${say("roles.no")}`} role="img">·</span>
                            )}
                          </td>
                        );
                      })}
                    </tr>
                  );
                })}
              </Fragment>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

const verbOf = (name: string): string => name.slice(name.lastIndexOf(":") + 1);

function byKind(permissions: Permission[]): Kind[] {
  const found = new Map<string, Kind>();
  for (const one of permissions) {
    const [before = "", verb = ""] = one.name.split(":");
    const [capability = "", kind = ""] = before.split(".");
    const row = found.get(before) ?? { capability, kind, verbs: new Map<string, Permission>() };
    row.verbs.set(verb, one);
    found.set(before, row);
  }
  return [...found.values()];
}

/** The lines that mean what they meant, with some permissions given or taken. Wildcards stay: what one gives too much is taken away by "!". */
export function changed(lines: string[], permissions: Permission[], names: string[], on: boolean): string[] {
  let next = lines;
  for (const name of names) {
    next = next.filter((line) => line !== (on ? `!${name}` : name));
    if (expanded(next, permissions).has(name) === on) continue;
    if (!on) next = [...next, `!${name}`];
    else {
      // a "!" with a wildcard that takes it away is written out for the rest
      const taking = next.filter((line) => line.startsWith("!") && expanded([line.slice(1)], permissions).has(name));
      for (const line of taking) next = [...next.filter((one) => one !== line), ...[...expanded([line.slice(1)], permissions)].filter((one) => one !== name).map((one) => `!${one}`)];
      if (!expanded(next, permissions).has(name)) next = [...next, name];
    }
  }
  return [...new Set(next)];
}
