import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type ReactNode } from "react";
import { useNavigate } from "react-router";
import { EnvTag, Icon, Kbd, type IconName } from "../kit";
import { useBackend, type Found } from "./backend";
import { useText } from "./i18n";
import { Marked, useLate } from "./words";
import { useMay } from "./may";
import { usePageSaid } from "./page";
import { useProtected } from "./production";
import { useRegistry, whereOf } from "./registry";
import { useScope } from "./scope";

interface Line {
  key: string;
  section: "recent" | "objects" | "page" | "go" | "create";
  icon: IconName;
  title: string;
  detail?: string | undefined;
  environment?: string | undefined;
  keys?: string | undefined;
  to?: string;
  run?: () => void;
}

const ICONS: Record<Found["kind"], IconName> = { application: "apps", resource: "file", text: "config", user: "person", environment: "environment", request: "inbox", credential: "key" };
const SECTIONS = ["recent", "objects", "page", "go", "create"] as const;
const PREFIX: Record<string, Line["section"][]> = { ">": ["page", "create"], "@": ["objects"], "#": ["objects"], ":": ["go"] };

/** The palette: objects, actions of this page, places, and what can be made; ids that are pasted resolve. */
export default function Palette({ onClose }: { onClose: () => void }): ReactNode {
  const say = useText("shell");
  const scope = useScope();
  const navigate = useNavigate();
  const [words, setWords] = useState("");
  const [place, setPlace] = useState(0);
  const opened = useRef<Element | null>(document.activeElement);
  const list = useRef<HTMLDivElement>(null);
  const lines = useLines(words);
  useEffect(() => setPlace(0), [words]);
  useEffect(() => {
    void list.current?.querySelector("[aria-selected=true]")?.scrollIntoView({ block: "nearest" });
  }, [place]);
  useEffect(() => () => (opened.current as HTMLElement | null)?.focus?.(), []);
  const run = (line: Line | undefined, apart: boolean): void => {
    if (!line) return;
    onClose();
    if (line.to && apart) window.open(new URL(line.to.replace(/^\//, ""), document.baseURI), "_blank", "noopener");
    else if (line.to) {
      remember(line);
      void navigate(line.to);
    } else line.run?.();
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setPlace(Math.min(lines.length - 1, place + 1));
    else if (event.key === "ArrowUp") setPlace(Math.max(0, place - 1));
    else if (event.key === "Enter") run(lines[place], event.metaKey || event.ctrlKey || event.shiftKey);
    else if (event.key === "Escape") onClose();
    else if (event.key === "Tab") setPlace((place + 1) % Math.max(1, lines.length));
    else return;
    event.preventDefault();
  };
  return (
    <div className="s-palette-mask" onMouseDown={(event) => event.target === event.currentTarget && onClose()}>
      <div className="s-palette" role="dialog" aria-modal="true" aria-label={say("search")} onKeyDown={onKeyDown}>
        <div className="s-palette-input">
          <Icon name="search" />
          <input
            autoFocus
            value={words}
            placeholder={say("search")}
            aria-label={say("search")}
            role="combobox"
            aria-expanded="true"
            aria-controls="palette-lines"
            aria-activedescendant={lines[place] ? `palette-${place}` : undefined}
            spellCheck={false}
            autoComplete="off"
            onChange={(event) => setWords(event.target.value)}
          />
          {scope.tenant && <span className="k-quiet">{say("palette.in", { tenant: scope.tenant })}</span>}
          <Kbd keys="esc" />
        </div>
        <div ref={list} className="s-palette-lines" role="listbox" id="palette-lines" aria-label={say("search")}>
          {SECTIONS.map((section) => {
            const found = lines.map((line, index) => ({ line, index })).filter(({ line }) => line.section === section);
            if (found.length === 0) return null;
            return (
              <div key={section} role="group" aria-label={say(`palette.${section}`)}>
                <p aria-hidden="true">{say(`palette.${section}`)}</p>
                {found.map(({ line, index }) => (
                  <PaletteLine key={line.key} line={line} id={`palette-${index}`} words={words} selected={index === place} onEnter={() => setPlace(index)} onRun={(apart) => run(line, apart)} />
                ))}
              </div>
            );
          })}
          {lines.length === 0 && <p className="s-palette-none">{say("palette.none", { words })}</p>}
        </div>
        <div className="s-palette-foot" aria-hidden="true">
          <span><Kbd keys="↑ ↓" /> {say("palette.move")}</span>
          <span><Kbd keys="↵" /> {say("palette.open")}</span>
          <span><Kbd keys="⌘ ↵" /> {say("palette.tab")}</span>
          <span className="k-grow" />
          <span><Kbd keys=">" /> {say("palette.command")}</span>
          <span><Kbd keys="@" /> {say("palette.person")}</span>
          <span><Kbd keys="#" /> {say("palette.id")}</span>
          <span><Kbd keys=":" /> {say("palette.product")}</span>
        </div>
      </div>
    </div>
  );
}

function PaletteLine(props: { line: Line; id: string; words: string; selected: boolean; onEnter: () => void; onRun: (apart: boolean) => void }): ReactNode {
  const { line, id, words, selected, onEnter, onRun } = props;
  const protects = useProtected();
  return (
    <div id={id} role="option" aria-selected={selected} onMouseMove={onEnter} onClick={(event) => onRun(event.metaKey || event.ctrlKey)}>
      <Icon name={line.icon} />
      <span className="s-palette-title"><Marked text={line.title} words={words.replace(/^[>@#:]/, "")} /></span>
      {line.detail && <span className="k-quiet k-ellipsis">{line.detail}</span>}
      <span className="k-grow" />
      {line.environment && <EnvTag name={line.environment} protected_={protects(line.environment)} />}
      {line.keys && <Kbd keys={line.keys} />}
    </div>
  );
}

function useLines(typed: string): Line[] {
  const say = useText("shell");
  const texts = useText("shell");
  const scope = useScope();
  const may = useMay();
  const backend = useBackend();
  const page = usePageSaid();
  const registry = useRegistry();
  const words = typed.replace(/^[>@#:]/, "").trim();
  const sections = PREFIX[typed[0] ?? ""];
  const late = useLate(words, 120);
  const found = useQuery({
    queryKey: ["palette", scope.tenant, late],
    queryFn: () => backend.search(scope.tenant, late),
    enabled: late.length > 0 && scope.tenant !== "" && (!sections || sections.includes("objects")),
    placeholderData: (before) => before,
    staleTime: 5_000,
    retry: false,
  });
  return useMemo(() => {
    const matches = (line: { title: string; also?: string[] }): boolean =>
      words.toLowerCase().split(/\s+/).every((word) => `${line.title} ${(line.also ?? []).join(" ")}`.toLowerCase().includes(word));
    const lines: Line[] = [];
    if (words === "" && !sections) lines.push(...recent());
    for (const one of words ? (found.data ?? []) : []) {
      if (typed.startsWith("@") && one.kind !== "user") continue;
      lines.push({ key: `o:${one.key}`, section: "objects", icon: ICONS[one.kind], title: one.title, detail: one.detail, environment: one.environment, to: one.to });
    }
    for (const action of page.actions ?? []) {
      const line: Line = { key: `a:${action.key}`, section: "page", icon: "right", title: action.label, keys: action.keys?.toUpperCase(), run: action.run };
      if (matches(line)) lines.push(line);
    }
    for (const pages of registry) {
      for (const entry of pages.entries) {
        if (!entry.platform && !scope.tenant) continue;
        if (entry.permission && !may(entry.permission, whereOf(entry, scope))) continue;
        const title = texts(`${pages.name}:${entry.label}`);
        const line: Line = { key: `g:${entry.key}`, section: "go", icon: entry.icon, title, detail: entry.aliases?.[0] ? say("palette.alias", { alias: entry.aliases[0] }) : undefined, keys: entry.go && `G ${entry.go.toUpperCase()}`, to: entry.to(scope) };
        if (matches({ title, also: entry.aliases ?? [] })) lines.push(line);
      }
      for (const one of pages.creations ?? []) {
        if (!one.platform && !scope.tenant) continue;
        if (!may(one.permission, whereOf(one, { tenant: scope.tenant, environment: "" }))) continue;
        const line: Line = { key: `c:${one.key}`, section: "create", icon: "plus", title: texts(`${pages.name}:${one.label}`), to: one.to(scope) };
        if (matches(line)) lines.push(line);
      }
    }
    return sections ? lines.filter((line) => sections.includes(line.section)) : lines;
  }, [words, typed, sections, found.data, page.actions, registry, scope, may, say, texts]);
}

const RECENT = "recent";

function recent(): Line[] {
  const kept = JSON.parse(localStorage.getItem(RECENT) ?? "[]") as Line[];
  return kept.map((line) => ({ ...line, section: "recent", key: `r:${line.to}` }));
}

function remember(line: Line): void {
  if (line.section !== "objects" && line.section !== "recent") return;
  const kept = recent().filter((one) => one.to !== line.to);
  localStorage.setItem(RECENT, JSON.stringify([{ ...line, keys: undefined }, ...kept].slice(0, 6)));
}
