import { useQuery } from "@tanstack/react-query";
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useLocation, useNavigate } from "react-router";
import { Icon, Pop, TextInput } from "../kit";
import { useBackend, type Place } from "./backend";
import { useText } from "./i18n";
import { useMe } from "./may";
import { useEnvironments } from "./places";
import { ALL, at, atApplication, atPlatform, useScope, type Scope } from "./scope";

/** The scope bar: tenant, environment, center, application; each found by typing, from the first tenant on. */
export function ScopeBar(): ReactNode {
  const scope = useScope();
  const backend = useBackend();
  const say = useText("shell");
  const me = useMe();
  const go = useChangedScope(scope);
  const environments = useEnvironments(scope.tenant);
  const environment = environments?.find((one) => one.name === scope.environment);
  const inTenant = scope.tenant !== "";
  return (
    <nav className="s-scope" aria-label={say("scope.label")}>
      <Part
        label={say("scope.tenant")}
        shown={scope.tenant || say("scope.platform")}
        ask={async (words) => (me.tenant ? [{ name: me.tenant, title: "" }] : backend.tenants(words))}
        name={`tenants`}
        chosen={scope.tenant}
        all={me.tenant ? undefined : say("scope.platform")}
        onPick={(name) => go({ tenant: name })}
      />
      {inTenant && (
        <>
          <Part
            label={say("scope.environment")}
            shown={scope.environment || say("scope.allEnvironments")}
            production={environment?.protected ?? false}
            ask={async (words) => ((await backend.environments(scope.tenant)) ?? []).filter((one) => has(one, words))}
            name={`environments:${scope.tenant}`}
            chosen={scope.environment}
            all={scope.application ? undefined : say("scope.allEnvironments")}
            onPick={(name) => go({ environment: name })}
          />
          <Part
            label={say("scope.center")}
            shown={scope.center || say("scope.allCenters")}
            ask={(words) => backend.centers(scope.tenant, words)}
            name={`centers:${scope.tenant}`}
            chosen={scope.center}
            all={say("scope.allCenters")}
            onPick={(name) => go({ center: name })}
          />
          <Part
            label={say("scope.application")}
            shown={scope.application || say("scope.allApplications")}
            ask={async (words) =>
              (await backend.applications(scope.tenant, scope.center, words)).map((one) => ({ ...one, name: `${one.center}/${one.name}` }))
            }
            name={`applications:${scope.tenant}:${scope.center}`}
            chosen={scope.application ? `${scope.center}/${scope.application}` : ""}
            all={say("scope.allApplications")}
            onPick={(name) => {
              const [center = "", application = ""] = name.split("/");
              go({ center: application ? center : scope.center, application });
            }}
          />
        </>
      )}
    </nav>
  );
}

/** Production says so in words, once: "PROD", and its own name where that is another. */
const productionName = (word: string, name: string): string => (word.toLowerCase().startsWith(name.toLowerCase()) || name.toLowerCase().startsWith(word.toLowerCase()) ? word : `${word} · ${name}`);

const has = (place: Place, words: string): boolean => `${place.name} ${place.title}`.toLowerCase().includes(words.toLowerCase());

/** Give what leads to the same page in another scope: the tab of an application stays, what belongs to one place does not. */
function useChangedScope(scope: Scope): (change: Partial<Scope>) => void {
  const navigate = useNavigate();
  const location = useLocation();
  return (change) => {
    const parts = location.pathname.split("/");
    if (change.tenant !== undefined) {
      void navigate(change.tenant ? at({ tenant: change.tenant, environment: "" }, "home") : atPlatform("tenants"));
    } else if (change.application !== undefined) {
      const next = { ...scope, ...change };
      const tab = scope.application ? (parts[7] ?? "overview") : "overview";
      void navigate(next.application ? atApplication(next, tab) : at(scope, "apps"));
    } else if (change.environment !== undefined) {
      parts[3] = change.environment || ALL;
      const kept = new URLSearchParams(location.search).get("center");
      void navigate(parts.slice(0, scope.application ? 8 : 5).join("/") + (kept ? `?center=${encodeURIComponent(kept)}` : ""));
    } else if (change.center !== undefined) {
      const where = scope.application ? at(scope, "apps") : parts.slice(0, 5).join("/");
      void navigate(where + (change.center ? `?center=${encodeURIComponent(change.center)}` : ""));
    }
  };
}

interface PartProps {
  label: string;
  shown: string;
  ask: (words: string) => Promise<Place[]>;
  name: string;
  chosen: string;
  all?: string | undefined;
  production?: boolean;
  onPick: (name: string) => void;
}

function Part(props: PartProps): ReactNode {
  const { label, shown, production = false } = props;
  const [open, setOpen] = useState(false);
  const say = useText("shell");
  const seen = production ? productionName(say("scope.productionShort"), shown) : shown;
  return (
    <span className="s-scope-part">
      <Pop open={open} onOpenChange={setOpen} content={open ? <Choices {...props} onDone={() => setOpen(false)} /> : null}>
        <button type="button" className={`s-scope-button${production ? " s-scope-production" : ""}`} aria-haspopup="listbox" aria-expanded={open} aria-label={`${label}: ${seen}${production ? `, ${say("scope.production")}` : ""}`}>
          {production && <Icon name="shield" size={12} />}
          <span className="k-ellipsis">{seen}</span>
          <Icon name="updown" size={12} />
        </button>
      </Pop>
    </span>
  );
}

function Choices(props: PartProps & { onDone: () => void }): ReactNode {
  const { label, ask, name, chosen, all, onPick, onDone } = props;
  const [words, setWords] = useState("");
  const [place, setPlace] = useState(0);
  const list = useRef<HTMLUListElement>(null);
  const id = useId();
  const say = useText("shell");
  const found = useQuery({ queryKey: ["places", name, words], queryFn: () => ask(words), staleTime: 10_000, retry: false, placeholderData: (before) => before });
  const options: Place[] = [...(all !== undefined && words === "" ? [{ name: "", title: all }] : []), ...(found.data ?? [])];
  useEffect(() => setPlace(0), [words]);
  useEffect(() => {
    void list.current?.children[place]?.scrollIntoView({ block: "nearest" });
  }, [place]);
  const pick = (one: Place | undefined): void => {
    if (!one) return;
    onDone();
    onPick(one.name);
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setPlace(Math.min(options.length - 1, place + 1));
    else if (event.key === "ArrowUp") setPlace(Math.max(0, place - 1));
    else if (event.key === "Enter") pick(options[place]);
    else if (event.key === "Escape") onDone();
    else return;
    event.preventDefault();
  };
  return (
    <div className="s-choices" onKeyDown={onKeyDown}>
      <TextInput autoFocus value={words} onChange={setWords} placeholder={label} aria-label={label} />
      <ul ref={list} role="listbox" id={id} aria-label={label}>
        {options.map((one, index) => (
          <li key={one.name} role="option" aria-selected={index === place} data-chosen={one.name === chosen || undefined} onMouseEnter={() => setPlace(index)} onClick={() => pick(one)}>
            <span className={one.name ? "k-mono k-ellipsis" : "k-ellipsis"}>{one.name || one.title}</span>
            {one.name && one.title && <span className="k-quiet k-ellipsis">{one.title}</span>}
            {one.protected && <Icon name="shield" size={12} />}
            {one.name === chosen && <Icon name="check" size={12} />}
          </li>
        ))}
      </ul>
      {found.data && options.length === 0 && <p className="k-quiet">{say("scope.none", { words })}</p>}
      {found.isError && <p className="k-quiet">{say("scope.failed")}</p>}
    </div>
  );
}
