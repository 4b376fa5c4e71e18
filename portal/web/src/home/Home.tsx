import type { ReactNode } from "react";
import { asCurl, failureOf, topics, useRead, type Work } from "../api";
import { Button, Count, Empty, EnvTag, ErrorState, Glyph, Icon, Mark, PageHead, Pane, Panes, Person, Ref, Skeleton, StatusTag, Strip, Time, type Figure } from "../kit";
import { ReleaseGlyph } from "../life";
import { at, atApplication, usePage, useProtected, useScope, useText, type Say, type Scope } from "../shell";

const SHOWN = 20;

type BundlePlace = Work["drafts"][number]["bundle"];

const placeOf = (bundle: BundlePlace): Scope => bundle.scope;

/** My work: what fails, what waits for me, what I began, and what happened; beside it how the tenant is. */
export function Home(): ReactNode {
  const say = useText("home");
  const scope = useScope();
  const args = { path: { tenant: scope.tenant }, query: { environment: scope.environment, limit: SHOWN } };
  const found = useRead("GET /api/v1/work/{tenant}", args, { topics: [topics.work(scope.tenant), topics.bundles(scope.tenant)] });
  usePage({ title: say("title"), api: asCurl("GET /api/v1/work/{tenant}", args), readAt: found.dataUpdatedAt });
  if (found.error && !found.data) return <ErrorState failure={failureOf(found.error, say("unreadable"))} onRetry={() => void found.refetch()} />;
  const work = found.data;
  return (
    <>
      <PageHead title={say("title")} note={work ? headline(say, work) : " "} />
      <Strip label={say("health")} figures={figures(say, work, scope)} />
      {work === undefined ? <Skeleton rows={10} /> : <Lists work={work} scope={scope} />}
    </>
  );
}

function headline(say: Say, work: Work): string {
  const { drafts, approvals, failing } = work.counts;
  const count = drafts + approvals;
  if (count === 0 && failing === 0) return say("nothingWaits");
  return failing ? say("noteFailing", { count, failing }) : say("note", { count });
}

function figures(say: Say, work: Work | undefined, scope: Scope): Figure[] {
  const counts = work?.counts;
  const unknown = <StatusTag hue="idle">{say("figures.unknown")}</StatusTag>;
  const config = at(scope, "config");
  return [
    {
      key: "bundles",
      label: say("figures.bundles"),
      to: config,
      value: <Count value={counts?.bundles} />,
      unit: say("figures.bundlesUnit", { count: counts?.bundles ?? 0 }),
      status: !counts ? unknown : counts.behind ? <StatusTag hue="warn">{say("figures.behind", { count: counts.behind })}</StatusTag> : <StatusTag hue="ok">{say("figures.converged")}</StatusTag>,
    },
    { key: "instances", label: say("figures.instances"), value: <Count value={counts?.instances} />, unit: say("figures.live") },
    {
      key: "failing",
      label: say("figures.failing"),
      to: `${config}?state=failing`,
      value: <Count value={counts?.failing} />,
      unit: say("figures.callbacks", { count: counts?.failing ?? 0 }),
      status: !counts ? unknown : counts.failing ? <StatusTag hue="bad">{say("figures.look")}</StatusTag> : <StatusTag hue="ok">{say("figures.healthy")}</StatusTag>,
    },
    { key: "approvals", label: say("figures.approvals"), value: <Count value={counts?.approvals} />, unit: say("figures.wait", { count: counts?.approvals ?? 0 }) },
    { key: "drafts", label: say("figures.drafts"), value: <Count value={counts?.drafts} />, unit: say("figures.unpublished") },
    { key: "asked", label: say("figures.asked"), value: <Count value={counts?.asked} />, unit: say("figures.askedUnit", { count: counts?.asked ?? 0 }) },
  ];
}

function Lists({ work, scope }: { work: Work; scope: Scope }): ReactNode {
  const say = useText("home");
  const nothing = work.failing.length + work.approvals.length + work.asked.length + work.drafts.length + work.releases.length === 0;
  if (nothing) {
    return (
      <Empty title={say("fresh.title")} actions={<Button kind="primary" icon="plus" to={`${at(scope, "apps")}?new=1`}>{say("fresh.action")}</Button>}>
        {say("fresh.text", { tenant: scope.tenant })}
      </Empty>
    );
  }
  return (
    <Panes>
      <Pane label={say("title")}>
        <Failing work={work} />
        <Approvals work={work} />
        <Drafts work={work} />
        <Asked work={work} />
        {work.failing.length + work.approvals.length + work.drafts.length + work.asked.length === 0 && (
          <Empty title={say("nothingWaits")} />
        )}
      </Pane>
      <Pane side="right" title={say("groups.recent")} note={say("groups.recentNote")}>
        <Releases work={work} />
      </Pane>
    </Panes>
  );
}

function Group({ name, count, shown, children }: { name: string; count: number; shown: number; children: ReactNode }): ReactNode {
  const say = useText("home");
  if (shown === 0) return null;
  return (
    <section aria-label={say(`groups.${name}`)}>
      <div className="k-group-head">
        <h2>{say(`groups.${name}`)}</h2>
        <span className="k-count">{count}</span>
        <span>{count > shown ? say("truncated", { count: count - shown }) : say(`groups.${name}Note`)}</span>
      </div>
      <ul className="k-lines">{children}</ul>
    </section>
  );
}

function Where({ bundle }: { bundle: BundlePlace }): ReactNode {
  const protects = useProtected();
  const { environment } = useScope();
  if (environment) return <span />;
  return <EnvTag name={bundle.scope.environment} protected_={protects(bundle.scope.environment)} />;
}

function Failing({ work }: { work: Work }): ReactNode {
  const say = useText("home");
  return (
    <Group name="failing" count={work.counts.failing} shown={work.failing.length}>
      {work.failing.map((one) => (
        <li key={`${one.bundle.scope.application}:${one.bundle.scope.environment}:${one.name}`}>
          <Glyph hue="bad" />
          <Ref mono name={one.name} kind={one.bundle.scope.application} to={`${atApplication(placeOf(one.bundle), "instances")}?state=failed`} />
          <span className="k-ellipsis" title={one.error}>
            {say("failed", { revision: one.position[1] })} · <code>{one.error}</code>
          </span>
          <Where bundle={one.bundle} />
          <Time at={one.applied_at} />
          <Button size="small" to={`${atApplication(placeOf(one.bundle), "instances")}?state=failed`}>{say("open")}</Button>
        </li>
      ))}
    </Group>
  );
}

function Approvals({ work }: { work: Work }): ReactNode {
  const say = useText("home");
  return (
    <Group name="approvals" count={work.counts.approvals} shown={work.approvals.length}>
      {work.approvals.map(({ bundle, request }) => (
        <li key={request.id}>
          <Icon name="shield" />
          <Ref mono name={bundle.scope.application} kind={bundle.capability} to={`${atApplication(placeOf(bundle), bundle.capability, "requests")}?id=${request.id}`} />
          <span className="k-ellipsis" title={request.message}>{request.message || say("keys", { count: request.resources.length })}</span>
          <Where bundle={bundle} />
          <Person name={request.author} />
          <Time at={request.created_at} />
          <Button size="small" to={`${atApplication(placeOf(bundle), bundle.capability, "requests")}?id=${request.id}`}>{say("review")}</Button>
        </li>
      ))}
    </Group>
  );
}

function Asked({ work }: { work: Work }): ReactNode {
  const say = useText("home");
  return (
    <Group name="asked" count={work.counts.asked} shown={work.asked.length}>
      {work.asked.map(({ bundle, request }) => (
        <li key={request.id}>
          <Icon name="clock" />
          <Ref mono name={bundle.scope.application} kind={bundle.capability} to={`${atApplication(placeOf(bundle), bundle.capability, "requests")}?id=${request.id}`} />
          <span className="k-ellipsis" title={request.error || request.message}>
            {say(`state.${request.state}`)}
            {request.message && ` · ${request.message}`}
            {request.error && ` · ${request.error}`}
          </span>
          <Where bundle={bundle} />
          <Time at={request.at || request.created_at} />
          <Button size="small" to={`${atApplication(placeOf(bundle), bundle.capability, "requests")}?id=${request.id}`}>{say("see")}</Button>
        </li>
      ))}
    </Group>
  );
}

function Drafts({ work }: { work: Work }): ReactNode {
  const say = useText("home");
  return (
    <Group name="drafts" count={work.counts.drafts} shown={work.drafts.length}>
      {work.drafts.map((one) => {
        const to = atApplication(placeOf(one.bundle), one.bundle.capability, "edit", one.name);
        return (
          <li key={`${one.bundle.scope.environment}/${one.bundle.scope.center}/${one.bundle.scope.application}/${one.kind}/${one.name}`}>
            <Mark kind={one.action} />
            <Ref mono name={one.bundle.scope.application} kind={one.bundle.capability} to={to} />
            <span className="k-ellipsis">
              {say(`draft.${one.action}`)} <code>{one.name}</code>
            </span>
            <Where bundle={one.bundle} />
            <Time at={one.edited_at} />
            <Button size="small" to={to}>{say("continue")}</Button>
          </li>
        );
      })}
    </Group>
  );
}

function Releases({ work }: { work: Work }): ReactNode {
  const say = useText("home");
  return (
    <ul className="k-lines h-releases">
      {work.releases.map(({ bundle, release }) => (
        <li key={`${bundle.scope.environment}/${bundle.scope.center}/${bundle.scope.application}/${bundle.capability}/${release.revision}`}>
          <ReleaseGlyph action={release.action} />
          <Ref mono name={bundle.scope.application} kind={`r${release.revision}`} to={`${atApplication(placeOf(bundle), bundle.capability, "history")}?rev=${release.revision}`} />
          <span className="k-ellipsis" title={release.message}>{release.message || say(`action.${release.action}`)}</span>
          <Where bundle={bundle} />
          <Person name={release.author} bare />
          <Time at={release.created_at} />
        </li>
      ))}
    </ul>
  );
}
