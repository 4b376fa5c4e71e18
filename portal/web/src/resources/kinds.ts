import { lazy, useMemo, type ComponentType } from "react";
import { useRead, type KindInfo } from "../api";
import { addTexts, at, useMeaning, type CapabilityPages, type HubTab } from "../shell";

const KINDS = "GET /api/v1/kinds";

/** A kind, with what the capability that declares it is called. */
export type Kind = KindInfo & { home: string };

export function useKinds(pages?: CapabilityPages[]): Kind[] | undefined {
  const found = useRead(KINDS, {}, { every: 300_000 }).data as KindInfo[] | undefined;
  const means = useMeaning(pages);
  return useMemo(
    () =>
      found?.map((kind) => ({
        ...kind,
        title: means(`kind.${kind.capability}.${kind.name}`, kind.title),
        home: means(`capability.${kind.capability}`, kind.home || titled(kind.capability)),
      })),
    [found, means],
  );
}

export const titled = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1);

/** What a capability is called: its one kind, or its own name where it has several. */
export const titleOf = (kinds: Kind[], capability: string): string =>
  kinds.length === 1 && kinds[0]?.title ? titled(kinds[0].title) : (kinds[0]?.home ?? titled(capability));

const tabs = new Map<string, ComponentType>();

/** The tab of a capability: one component each, so that changing the tab changes the page. */
function tabOf(capability: string): ComponentType {
  let found = tabs.get(capability);
  if (!found) {
    found = lazy(async () => ({ default: (await import("./Tab")).tabFor(capability) }));
    tabs.set(capability, found);
  }
  return found;
}

/** The pages of every kind that no capability of the portal claims: a list, and a tab of the application hub. */
export function useMore(claimed: CapabilityPages[]): CapabilityPages[] {
  const kinds = useKinds(claimed);
  return useMemo(() => {
    const names = new Set(claimed.map((pages) => pages.name));
    const found = new Map<string, Kind[]>();
    for (const kind of kinds ?? []) if (!names.has(kind.capability)) found.set(kind.capability, [...(found.get(kind.capability) ?? []), kind]);
    return [...found].map(([capability, own]) => pagesOf(capability, own));
  }, [claimed, kinds]);
}

function pagesOf(capability: string, kinds: Kind[]): CapabilityPages {
  const name = `kinds-${capability}`;
  const texts = { zh: { title: titleOf(kinds, capability) }, en: { title: titleOf(kinds, capability) } };
  addTexts(name, texts);
  const permission = `${capability}.${kinds[0]?.name ?? ""}:read`;
  const tab: HubTab = { key: capability, label: "title", order: 40, permission, deep: true, Component: tabOf(capability) };
  return {
    name,
    entries: [{ key: name, group: "govern", icon: "file", label: "title", to: (scope) => at(scope, "kinds", capability), permission, aliases: [capability, ...kinds.map((kind) => kind.name)] }],
    tabs: [tab],
    texts,
  };
}
