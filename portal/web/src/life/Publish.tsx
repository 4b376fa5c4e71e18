import { useEffect, useMemo, useState, type ReactNode } from "react";
import { createPortal } from "react-dom";
import { Link, useNavigate } from "react-router";
import { asCurl, useDo, type CheckResult, type Convergence, type Difference, type GrayStatus, type PendingChange, type PublishOutcome, type Release } from "../api";
import { Button, Confirm, Empty, Field, Glyph, Moment, Note, Pane, Panes, Person, Pick, Reading, Section, StatusTag, TextArea, Time } from "../kit";
import { Canary } from "../kit/parts";
import { Steps, type Step } from "../kit/parts";
import { usePage, useQueryStates, useText } from "../shell";
import { LifeBar } from "./Bar";
import { ChangeSet, useView } from "./Changes";
import { Converge } from "./Converge";
import type { LifePageProps } from "./Drafts";
import { GrayDiff } from "./GrayDiff";
import { GrayChoice, GrayWords, meansSome, readGray, useGray, useMatch, writeGray } from "./Gray";
import { lifeCall, useLife, useLifeRead } from "./life";
import { Can, extent, Refused, Unread, useReason } from "./Parts";
import { revisionOf } from "./types";

/** From drafts to instances on one page: what changes, who receives it, how many first, and how it arrives. */
export function Publish({ bar }: LifePageProps): ReactNode {
  const say = useText("life");
  const life = useLife();
  const [query, change] = useQueryStates();
  const drafts = useLifeRead<Difference>("/drafts");
  const [settled, setSettled] = useState(true);
  const reach = useLifeRead<Convergence>("/convergence", {}, settled ? {} : { every: UNSETTLED_MS });
  const gray = useGray(reach.data);
  const done = Number(query.get("done") ?? 0);
  const only = (query.get("only") ?? "").split(",").filter(Boolean);
  const pending = drafts.data?.pending;
  const chosen = useMemo(() => (pending ?? []).filter((one) => only.length === 0 || only.includes(one.name)), [pending, query.get("only")]); // eslint-disable-line react-hooks/exhaustive-deps
  const check = useLifeRead<CheckResult>("/check", {}, { method: "POST", enabled: (pending?.length ?? 0) > 0 });
  const problems = (check.data?.problems ?? []).filter((one) => chosen.some((draft) => draft.name === one.name && draft.kind === one.kind));
  const [view, picker] = useView();
  const [foot, setFoot] = useState<HTMLElement | null>(null);
  const running = gray.data ?? null;
  const now = revisionOf(reach.data?.position);
  const shownRevision = running && done !== now ? running.revision : now;
  const names = running ? new Set(running.instances) : undefined;
  const arriving = reach.data !== undefined && (reach.data.behind > 0 || (running !== null && running.instances.length === 0));
  useEffect(() => setSettled(!arriving), [arriving]);
  const base = drafts.data?.revision ?? 0;
  const rule = readGray(query.get("gray") ?? "").rule;
  const waits = life.protected_;
  const steps: Step[] = [
    { key: "draft", name: say("steps.draft"), state: chosen.length ? "done" : done || running ? "done" : "current", count: chosen.length || undefined, to: life.to("diff") },
    { key: "check", name: say("steps.check"), state: problems.length ? "failed" : chosen.length === 0 ? (done || running ? "done" : "future") : check.data ? "done" : "current", count: problems.length || undefined },
    { key: "diff", name: say("steps.diff"), state: chosen.length || done || running ? "done" : "future", count: chosen.reduce((total, one) => total + one.changes.length, 0) || undefined },
    ...(waits ? [{ key: "approve", name: say("steps.approve"), state: (done || running ? "done" : "future") as Step["state"], to: life.to("requests") }] : []),
    ...(running || !done ? [{ key: "gray", name: say("steps.gray"), state: (running ? "current" : "future") as Step["state"], count: running ? running.instances.length : undefined }] : []),
    { key: "all", name: say("steps.all"), state: running || chosen.length ? "future" : done && reach.data ? (reach.data.failed ? "failed" : reach.data.behind ? "current" : "done") : "future", count: reach.data ? (done && !running && !chosen.length ? `${reach.data.current}/${reach.data.total}` : reach.data.total) : undefined },
  ];
  usePage({
    title: `${say("publish.title")} · ${life.scope.application}`,
    cli: life.cli(rule ? "gray start" : "publish", [...(only.length ? only : []), '-m "…"'].join(" ")) ?? "",
    api: asCurl(life.operation("POST", "/releases"), { path: life.scope, body: { expected_revision: base, message: "", ...(rule ? { gray: rule } : {}) } }),
    readAt: reach.dataUpdatedAt || drafts.dataUpdatedAt,
  });
  if (drafts.error && !drafts.data) return <><LifeBar active="publish" {...bar} /><Unread error={drafts.error} title={say("diff.unreadable")} onRetry={() => void drafts.refetch()} /></>;
  const empty = pending !== undefined && chosen.length === 0 && !running && !done;
  return (
    <>
      <LifeBar active="publish" {...bar} actions={<Steps label={say("steps.label")} steps={steps} />} />
      {!pending || gray.isLoading ? (
        <Reading />
      ) : empty ? (
        <Empty title={say("diff.none")} actions={<Button kind="primary" to={bar.first.to}>{bar.first.label}</Button>}>{say("diff.noneText")}</Empty>
      ) : (
        <div className="l-publish">
          <Panes>
            <Pane
              title={running && chosen.length === 0 ? say("publish.running", { revision: running.revision }) : done && chosen.length === 0 ? say("publish.done", { revision: done }) : say("publish.next", { revision: base + 1 })}
              note={chosen.length ? say("publish.note", { from: base, to: base + 1, ...extent(chosen, say) }) : undefined}
              actions={chosen.length > 0 || done ? picker : undefined}
            >
              {chosen.length > 0 ? (
                <>
                  {pending.length > chosen.length && <Note hue="info" actions={<Button size="small" onClick={() => change({ only: "" })}>{say("publish.takeAll", { count: pending.length })}</Button>}>{say("publish.onlySome", { count: chosen.length, total: pending.length })}</Note>}
                  <ChangeSet changes={chosen} view={view} from="draft" {...(pending.length > 1 ? { chosen: new Set(chosen.map((one) => one.name)), onChoose: (name: string, on: boolean) => change({ only: pending.filter((one) => (one.name === name ? on : chosen.includes(one))).map((one) => one.name).join(",") }) } : {})} />
                </>
              ) : running ? (
                <GrayContent gray={running} />
              ) : (
                <Done revision={done} view={view} more={<Button to={bar.first.to}>{bar.first.label}</Button>} />
              )}
            </Pane>
            <Pane side="right" foot={chosen.length > 0 && <span className="l-slot" ref={setFoot} />} title={say("publish.who")} note={reach.data ? say("publish.whoNote", { count: reach.data.total }) : undefined} actions={<Link to={life.instances}>{say("publish.listAll")}</Link>}>
              <Receivers reach={reach.data} names={names} />
              {running && <Running gray={running} reach={reach.data} />}
              {chosen.length > 0 && <Ask chosen={chosen} all={chosen.length === pending.length} base={base} problems={problems.length} checking={check.data === undefined} running={running !== null} reach={reach.data} foot={foot} />}
            </Pane>
          </Panes>
          {(running || done > 0) && (
            <div className="l-publish-foot">
              <Converge reach={reach.data} revision={shownRevision} names={names} />
            </div>
          )}
        </div>
      )}
    </>
  );
}

/** Where the instances stand now, by cluster. */
function Receivers({ reach, names }: { reach: Convergence | undefined; names: Set<string> | undefined }): ReactNode {
  const say = useText("life");
  if (!reach) return <Reading />;
  const current = revisionOf(reach.position);
  return (
    <table className="l-table l-by-cluster">
      <thead><tr><th>{say("instances.cluster")}</th><th className="l-number">{say("publish.live")}</th>{names && <th className="l-number">{say("gray.short")}</th>}<th className="l-number">r{current}</th><th className="l-number">{say("instances.behind")}</th><th className="l-number">{say("instances.failed")}</th></tr></thead>
      <tbody>
        {reach.by_cluster.map((one) => (
          <tr key={one.cluster}>
            <td><code>{one.cluster || "—"}</code></td>
            <td className="l-number">{one.total}</td>
            {names && <td className="l-number">{reach.instances.filter((other) => other.cluster === one.cluster && names.has(other.name)).length}</td>}
            <td className="l-number">{one.current}</td>
            <td className="l-number">{one.total - one.current}</td>
            <td className="l-number">{one.failed > 0 ? <span className="l-bad">{one.failed}</span> : 0}</td>
          </tr>
        ))}
        <tr className="l-total">
          <td>{say("publish.allClusters")}</td>
          <td className="l-number">{reach.total}</td>
          {names && <td className="l-number">{names.size}</td>}
          <td className="l-number">{reach.current}</td>
          <td className="l-number">{reach.behind}</td>
          <td className="l-number">{reach.failed > 0 ? <span className="l-bad">{reach.failed}</span> : 0}</td>
        </tr>
      </tbody>
    </table>
  );
}

/** What was published just now. */
function Done({ revision, view, more }: { revision: number; view: ReturnType<typeof useView>[0]; more: ReactNode }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const changes = useLifeRead<PendingChange[]>("/releases/{revision}/changes", { path: { revision } }, { topics: [] });
  return (
    <>
      {changes.data && changes.data.length > 0 && <ChangeSet changes={changes.data} view={view} from={{ before: revision - 1, after: revision }} />}
      <div className="k-section k-row l-wrap">
        <span className="k-quiet">{say("publish.nothingLeft")}</span>
        <Button size="small" to={`${life.to("history")}?rev=${revision}`} icon="history">{say("publish.seeRevision", { revision })}</Button>
        {more}
      </div>
    </>
  );
}

const UNSETTLED_MS = 1500;

function GrayContent({ gray }: { gray: GrayStatus }): ReactNode {
  return <GrayDiff revision={gray.revision} resources={gray.resources} />;
}

/** The gray release that runs: widen it, give it to everyone, or take it back. */
function Running({ gray, reach }: { gray: GrayStatus; reach: Convergence | undefined }): ReactNode {
  const say = useText("life");
  const life = useLife();
  const [query, change] = useQueryStates();
  const navigate = useNavigate();
  const [asking, setAsking] = useState<"promote" | "abort" | null>(null);
  const text = query.get("widen") ?? writeGray(gray.rule);
  const rule = readGray(text).rule;
  const { match } = useMatch(rule);
  const expected = revisionOf(reach?.position);
  const same = JSON.stringify(rule) === JSON.stringify(readGray(writeGray(gray.rule)).rule);
  const refused = reach?.instances.filter((one) => gray.instances.includes(one.name) && (one.status === "failed" || one.status === "rejected")).length ?? 0;
  const act = useDo(async (how: "widen" | "promote" | "abort") => {
    if (how === "widen") return lifeCall<PublishOutcome>(life, "PUT", "/gray", { body: { rule, expected_revision: expected } });
    if (how === "promote") return lifeCall<PublishOutcome>(life, "POST", "/gray/promote", { body: { expected_revision: expected } });
    const release = await lifeCall<Release>(life, "POST", "/gray/abort", { body: { expected_revision: expected } });
    return { release, request: null };
  });
  const go = (how: "widen" | "promote" | "abort"): void => {
    void act.mutateAsync(how).then(
      (outcome) => {
        setAsking(null);
        if (outcome.request) void navigate(`${life.to("requests")}?id=${outcome.request.id}`);
        else change({ widen: "", done: how === "promote" ? String(outcome.release?.revision ?? "") : "" });
      },
      () => undefined,
    );
  };
  return (
    <Section title={say("gray.running", { revision: gray.revision })} note={<><Person name={gray.author} /> <Time at={gray.started_at} /></>}>
      <div className="k-stack">
        <p><StatusTag hue="info" running>{say("gray.holds", { count: gray.instances.length, total: reach?.total ?? "—" })}</StatusTag> <GrayWords rule={gray.rule} /></p>
        {refused > 0 && <Note hue="bad">{say("gray.refused", { count: refused, total: gray.instances.length })}</Note>}
        {gray.rule.percent && rule?.percent !== undefined ? (
          <Canary label={say("gray.ways.percent")} title={say("gray.title")} note={say("gray.sticky")} total={reach?.total ?? 0} live={gray.rule.percent} next={rule.percent} least={0} onChange={(next) => change({ widen: `percent:${next}` })} {...(match ? { instancesAt: (percent: number) => (percent === rule.percent ? match.matching : percent === gray.rule.percent ? gray.instances.length : Math.ceil(((reach?.total ?? 0) * percent) / 100)) } : {})} />
        ) : (
          <GrayChoice text={text} onChange={(next) => change({ widen: next })} reach={reach} live={gray.instances.length} ways={["percent", "count", "labels", "instances"]} />
        )}
        <Refused error={act.error} />
        <span className="k-row l-wrap">
          <Can verb="publish" kind="danger" icon="undo" onClick={() => setAsking("abort")}>{say("gray.abort")}</Can>
          <span className="k-grow" />
          <Can verb="publish" busy={act.isPending} disabled={same || rule === null || !meansSome(rule)} reason={say("gray.chooseOther")} onClick={() => go("widen")}>
            {match && !same ? say("gray.change", { count: match.matching }) : say("gray.widen")}
          </Can>
          <Can verb="publish" kind={life.protected_ ? "production" : "primary"} onClick={() => setAsking("promote")}>{say(life.protected_ ? "gray.promoteAsk" : "gray.promote")}</Can>
        </span>
      </div>
      <Confirm
        open={asking !== null}
        onClose={() => setAsking(null)}
        title={say(asking === "abort" ? "gray.abort" : "gray.promote")}
        kind={asking === "abort" ? "danger" : life.protected_ ? "production" : "primary"}
        consequence={
          asking === "abort" ? (
            <><strong>{say("gray.abortResult", { count: gray.instances.length })}</strong> {say("gray.abortText", { count: gray.resources.length })}</>
          ) : (
            <><strong>{say(life.protected_ ? "gray.promoteRequest" : "gray.promoteResult", { count: reach?.total ?? "—" })}</strong> {refused > 0 && say("gray.refused", { count: refused, total: gray.instances.length })}</>
          )
        }
        action={say(asking === "abort" ? "gray.abort" : "gray.promote")}
        {...(life.protected_ ? { typed: life.scope.application } : {})}
        busy={act.isPending}
        error={<Refused error={act.error} />}
        onConfirm={() => { if (asking) go(asking); }}
      />
    </Section>
  );
}

/** For whom first, why, when, and the one button. */
function Ask(props: { chosen: PendingChange[]; all: boolean; base: number; problems: number; checking: boolean; running: boolean; reach: Convergence | undefined; foot: HTMLElement | null }): ReactNode {
  const { chosen, all, base, problems, checking, running, reach, foot } = props;
  const say = useText("life");
  const life = useLife();
  const navigate = useNavigate();
  const [query, change] = useQueryStates();
  const [message, setMessage] = useState("");
  const [later, setLater] = useState(false);
  const [at, setAt] = useState<number | null>(null);
  const [asking, setAsking] = useState(false);
  const reason = useReason("publish");
  const text = query.get("gray") ?? "";
  const { way, rule } = readGray(text);
  const { match } = useMatch(rule);
  const publish = useDo(() =>
    lifeCall<PublishOutcome>(life, "POST", "/releases", {
      body: { expected_revision: base, message, ...(all ? {} : { only: chosen.map((one) => [one.kind, one.name]) }), ...(rule ? { gray: rule } : {}), ...(later && at ? { at } : {}) },
    }),
  );
  const authors = [...new Set(chosen.map((one) => one.author))];
  const past = later && at !== null && at <= Date.now();
  const blocked =
    reason ?? (problems > 0 ? say("publish.problems", { count: problems }) : checking ? say("publish.checking") : way !== "all" && (!rule || !meansSome(rule)) ? say("gray.choose") : running && way !== "all" ? say("gray.oneOnly") : later && (at === null || past) ? say("publish.timeFirst") : undefined);
  const count = rule ? (match?.matching ?? "—") : (reach?.total ?? "—");
  const label = life.protected_ ? say(later ? "publish.askLater" : "publish.ask") : later ? say("publish.later") : rule ? say("publish.gray", { count }) : say("publish.all", { count });
  const go = (): void => {
    void publish.mutateAsync(undefined).then(
      (outcome) => {
        setAsking(false);
        if (outcome.request) void navigate(`${life.to("requests")}?id=${outcome.request.id}`);
        else change({ only: "", gray: "", done: String(outcome.release?.revision ?? "") });
      },
      () => undefined,
    );
  };
  return (
    <>
      <Section title={say("gray.title")} note={say("gray.note")}>
        {running ? <p className="k-quiet">{say("gray.meanwhile")}</p> : <GrayChoice text={text} onChange={(next) => change({ gray: next })} reach={reach} live={0} />}
      </Section>
      <Section title={say("publish.when")}>
        <span className="k-row l-wrap">
          <Pick label={say("publish.when")} value={later ? "later" : "now"} onChange={(next) => setLater(next === "later")} options={[{ value: "now", label: say("publish.now") }, { value: "later", label: say("publish.atTime") }]} />
          {later && <span className="l-moment"><Moment aria-label={say("publish.atTime")} value={at} min={Date.now()} onChange={setAt} /></span>}
        </span>
        {past && <p className="l-bad">{say("publish.past")}</p>}
      </Section>
      <Section title={say("publish.message")}>
        <Field label={<span className="k-hidden">{say("publish.message")}</span>}>{(ids) => <TextArea {...ids} rows={2} value={message} onChange={setMessage} maxLength={2000} placeholder={say("publish.messageHint")} />}</Field>
        {life.protected_ && (
          <Note hue="info">
            {say("publish.approval")} <span className="k-quiet">{say("publish.notThese", { names: authors.join(", ") })}</span>
          </Note>
        )}
        <Refused error={publish.error} />
        {publish.error?.status === 412 && <Button size="small" icon="refresh" onClick={() => publish.reset()}>{say("publish.again")}</Button>}
      </Section>
      {foot && createPortal(<>
        {blocked ? <span className="k-quiet l-why">{blocked}</span> : <span className="k-quiet l-why">{say("publish.consequence", { count, ...extent(chosen, say) })}</span>}
        <span className="k-grow" />
        <Button kind={life.protected_ ? "production" : "primary"} icon="publish" busy={publish.isPending} disabled={blocked !== undefined} {...(blocked ? { reason: blocked } : {})} onClick={() => (life.protected_ ? setAsking(true) : go())}>{label}</Button>
      </>, foot)}
      <Confirm
        open={asking}
        onClose={() => setAsking(false)}
        title={label}
        kind="production"
        consequence={
          <>
            <strong>{say("publish.consequence", { count, ...extent(chosen, say) })}</strong> {say("publish.waits")} {later && at ? <Time at={at} exact /> : null}
          </>
        }
        action={label}
        typed={life.scope.application}
        busy={publish.isPending}
        error={<Refused error={publish.error} />}
        onConfirm={go}
      >
        {reach && reach.failed > 0 && <Note hue="warn"><Glyph hue="warn" /> {say("publish.alreadyFailing", { count: reach.failed })}</Note>}
      </Confirm>
    </>
  );
}

