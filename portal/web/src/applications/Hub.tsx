import type { ReactNode } from "react";
import { Outlet, useParams } from "react-router";
import { failureOf, useRead } from "../api";
import { Button, EnvTag, ErrorState, Forbidden, Menu, PageHead, Reading, Tabs } from "../kit";
import { ALL, at, atApplication, useEnvironments, useMay, useProtected, useRegistry, useScope, useText, type HubTab, GoOn } from "../shell";

/** The tabs of an application that this reader may see here, each with the capability that brings it. */
export function useHubTabs(): { tab: HubTab; name: string }[] {
  const scope = useScope();
  const may = useMay();
  return useRegistry()
    .flatMap((pages) => (pages.tabs ?? []).map((tab) => ({ tab, name: pages.name })))
    .filter(({ tab }) => may(tab.permission, scope))
    .sort((one, other) => one.tab.order - other.tab.order);
}

/** The hub of an application: one head and one row of tabs, whatever capability a tab comes from. */
export function Hub(): ReactNode {
  const scope = useScope();
  const { "*": rest = "" } = useParams();
  const say = useText("applications");
  const texts = useText("applications");
  const protects = useProtected();
  const environments = useEnvironments(scope.tenant);
  const tabs = useHubTabs();
  const found = useRead("GET /api/v1/identity/tenants/{tenant}/centers/{center}/applications/{application}", {
    path: { tenant: scope.tenant, center: scope.center, application: scope.application },
  });
  const active = rest.split("/")[0] || "overview";
  if (found.error?.status === 404 || found.error?.status === 403) {
    return (
      <Forbidden title={say("missing", { name: scope.application })} actions={<Button to={at(scope, "apps")}>{say("all")}</Button>}>
        {say("missingDetail")}
      </Forbidden>
    );
  }
  if (found.error && !found.data) return <ErrorState failure={failureOf(found.error, say("unreadableOne"))} onRetry={() => void found.refetch()} />;
  if (!scope.environment && environments?.[0]) return <GoOn to={atApplication({ ...scope, environment: environments[0].name }, ...(rest ? rest.split("/") : ["overview"]))} />;
  if (!found.data) return <Reading />;
  return (
    <>
      <PageHead
        crumbs={[{ label: say("title"), to: at(scope, "apps") }, { label: scope.center, to: `${at(scope, "apps")}?center=${encodeURIComponent(scope.center)}` }]}
        title={scope.application}
        mono
        tags={
          <>
            {scope.environment && <EnvTag name={scope.environment} protected_={protects(scope.environment)} />}
            {found.data.title && found.data.title !== scope.application && <span className="k-quiet">{found.data.title}</span>}
          </>
        }
        actions={
          (environments?.length ?? 0) > 1 && (
            <Menu
              label={say("elsewhere")}
              items={(environments ?? []).filter((one) => one.name !== scope.environment).map((one) => ({ key: one.name, label: one.name, icon: one.protected ? "shield" as const : "environment" as const, onSelect: () => window.location.assign(new URL(atApplication({ ...scope, environment: one.name }, active).slice(1), document.baseURI)) }))}
            >
              <Button icon="environment">{say("elsewhere")}</Button>
            </Menu>
          )
        }
      />
      <Tabs
        label={say("tabs")}
        active={active}
        items={tabs.map(({ tab, name }) => ({ key: tab.key, label: texts(`${name}:${tab.label}`), to: atApplication({ ...scope, environment: scope.environment || ALL }, tab.key) }))}
      />
      <Outlet />
    </>
  );
}
