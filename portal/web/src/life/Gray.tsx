import { useMemo, useState, type ReactNode } from "react";
import type { Convergence, GrayPreview, GrayRule, GrayStatus } from "../api";
import { Field, ManyChoice, NumberInput, Pick, Range, StatusTag, TextInput } from "../kit";
import { useLate, useText } from "../shell";
import { useLifeRead } from "./life";

export type GrayWay = "all" | "percent" | "count" | "labels" | "instances";
const WAYS: GrayWay[] = ["all", "percent", "count", "labels", "instances"];

/** Read what the address says of a gray rule, as "percent:25", "labels:zone=hz-a,build=3;zone=hz-b", "instances:a,b". */
export function readGray(text: string): { way: GrayWay; rule: GrayRule | null } {
  const [way = "", rest = ""] = [text.slice(0, text.indexOf(":")), text.slice(text.indexOf(":") + 1)];
  if (way === "percent") return { way, rule: { percent: Math.max(0, Math.min(100, Number(rest) || 0)) } };
  if (way === "count") return { way, rule: { count: Math.max(0, Math.floor(Number(rest) || 0)) } };
  if (way === "instances") return { way, rule: { instances: rest.split(",").filter(Boolean).map(decodeURIComponent) } };
  if (way === "labels") return { way, rule: { labels: rest.split(";").map(readLabels).filter((one) => Object.keys(one).length > 0) } };
  return { way: "all", rule: null };
}

const readLabels = (text: string): Record<string, string> => Object.fromEntries(text.split(",").map((one) => one.split("=")).filter((one) => one.length === 2 && one[0]).map(([name = "", value = ""]) => [decodeURIComponent(name.trim()), decodeURIComponent(value.trim())]));

export const writeLabels = (labels: Record<string, string>[] | undefined): string => (labels ?? []).map((one) => Object.entries(one).map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`).join(",")).join(";");

export function writeGray(rule: GrayRule): string {
  if (rule.percent) return `percent:${rule.percent}`;
  if (rule.count) return `count:${rule.count}`;
  if (rule.instances?.length) return `instances:${rule.instances.map(encodeURIComponent).join(",")}`;
  if (rule.labels?.length) return `labels:${writeLabels(rule.labels)}`;
  return "";
}

const MEANS = (rule: GrayRule): boolean => Boolean(rule.percent || rule.count || rule.instances?.length || rule.labels?.length);

/** For whom a gray release is, in words. */
export function GrayWords({ rule }: { rule: GrayRule }): ReactNode {
  const say = useText("life");
  const parts: string[] = [];
  if (rule.percent) parts.push(say("gray.words.percent", { percent: rule.percent }));
  if (rule.count) parts.push(say("gray.words.count", { count: rule.count }));
  if (rule.instances?.length) parts.push(say("gray.words.instances", { names: rule.instances.slice(0, 3).join(", "), more: rule.instances.length > 3 ? `+${rule.instances.length - 3}` : "" }));
  if (rule.labels?.length) parts.push(say("gray.words.labels", { labels: rule.labels.map((one) => Object.entries(one).map(([name, value]) => `${name}=${value}`).join(" & ")).join(" | ") }));
  return <>{parts.join(" · ") || say("gray.words.none")}</>;
}

/** How many instances a rule takes of those that run now. */
export function useMatch(rule: GrayRule | null): { match: GrayPreview | undefined; error: unknown } {
  const late = useLate(JSON.stringify(rule), 250);
  const settled = JSON.parse(late) as GrayRule | null;
  const found = useLifeRead<GrayPreview>("/gray/preview", { body: settled ?? {} }, { method: "POST", enabled: settled !== null && MEANS(settled), keep: true });
  return { match: rule && MEANS(rule) ? found.data : undefined, error: found.error };
}

/** The gray release that runs, with all instances that it is for: those that have a seat, that its rule takes, or that hold it. */
export function useGray(reach: Convergence | undefined): { data: GrayStatus | null | undefined; isLoading: boolean } {
  const found = useLifeRead<GrayStatus | null>("/gray");
  const { match } = useMatch(found.data?.rule ?? null);
  const data = useMemo(() => {
    const gray = found.data;
    if (!gray) return gray;
    const holding = (reach?.instances ?? []).filter((one) => one.gray === gray.id).map((one) => one.name);
    return { ...gray, instances: [...new Set([...gray.instances, ...(match?.instances ?? []), ...holding])] };
  }, [found.data, match, reach]);
  return { data, isLoading: found.isLoading };
}

/** Choose for whom it is first: all at once, or some by a rule; and how many that are now. */
export function GrayChoice(props: { text: string; onChange: (text: string) => void; reach: Convergence | undefined; live: number; ways?: GrayWay[] }): ReactNode {
  const { text, onChange, reach, live, ways = WAYS } = props;
  const say = useText("life");
  const { way, rule } = readGray(text);
  const { match, error } = useMatch(rule);
  const [labels, setLabels] = useState(decodeURIComponent(way === "labels" ? writeLabels(rule?.labels) : ""));
  const begin: Record<GrayWay, string> = { all: "", percent: "percent:10", count: "count:1", labels: "labels:", instances: "instances:" };
  const total = match?.total ?? reach?.total;
  return (
    <div className="l-gray">
      <Pick label={say("gray.title")} value={way} onChange={(next) => onChange(begin[next])} options={ways.map((one) => ({ value: one, label: say(`gray.ways.${one}`) }))} />
      {way === "percent" && (
        <div className="l-gray-track">
          <Range label={say("gray.ways.percent")} min={0} max={100} value={rule?.percent ?? 0} onChange={(next) => onChange(`percent:${next}`)} marks={{ 0: "0 %", 10: "10 %", 25: "25 %", 50: "50 %", 100: say("gray.all") }} />
        </div>
      )}
      {way === "count" && <Field label={say("gray.seats")} hint={say("gray.seatsHint")}>{(ids) => <NumberInput {...ids} min={1} max={10000} width={120} value={rule?.count ?? 1} onChange={(next) => onChange(`count:${next ?? 1}`)} />}</Field>}
      {way === "labels" && (
        <Field label={say("gray.labels")} hint={say("gray.labelsHint")}>
          {(ids) => <TextInput {...ids} mono value={labels} placeholder="zone=hz-a,build=3.12.0; zone=hz-b" onChange={(next) => { setLabels(next); onChange(`labels:${next.split(";").map((one) => one.trim()).join(";")}`); }} />}
        </Field>
      )}
      {way === "instances" && (
        <Field label={say("gray.instances")}>
          {(ids) => <ManyChoice {...ids} free value={rule?.instances ?? []} onChange={(next) => onChange(`instances:${next.map(encodeURIComponent).join(",")}`)} options={(reach?.instances ?? []).slice(0, 500).map((one) => ({ value: one.name, label: one.name }))} />}
        </Field>
      )}
      {way === "all" ? (
        <p className="k-quiet">{reach ? say("gray.allText", { count: reach.total }) : say("gray.unknown")}</p>
      ) : error ? (
        <p><StatusTag hue="idle">{say("gray.unknown")}</StatusTag></p>
      ) : match ? (
        <p>
          {say("gray.live", { live, total: total ?? 0 })} <strong>{say("gray.next", { count: match.matching, total: match.total })}</strong>
          {match.instances.length > 0 && <span className="k-quiet k-mono l-names" title={match.instances.join(", ")}> {match.instances.slice(0, 4).join(", ")}{match.instances.length > 4 ? ` +${match.instances.length - 4}` : ""}</span>}
        </p>
      ) : (
        <p className="k-quiet">{say("gray.choose")}</p>
      )}
    </div>
  );
}

export { MEANS as meansSome };
