import { useMemo, type ComponentType, type ReactNode } from "react";
import type { KindInfo } from "../api";
import { Empty, Forbidden, Reading } from "../kit";
import { Instances, LifeBar, LifePages, useLifeOf, type Bar } from "../life";
import { atApplication, useMay, useRest, useScope, useText } from "../shell";
import { Editor } from "./Editor";
import { useKinds } from "./kinds";
import "./resources.css";

/** Give the tab of a capability in the application hub. */
export const tabFor = (capability: string): ComponentType =>
  function KindsTab(): ReactNode {
    const say = useText("resources");
    const kinds = useKinds();
    if (!kinds) return <Reading />;
    const own = kinds.filter((kind) => kind.capability === capability);
    if (own.length === 0) return <Empty title={say("missing", { capability })}>{say("missingText")}</Empty>;
    return <Pages capability={capability} kinds={own} />;
  };

function Pages({ capability, kinds }: { capability: string; kinds: KindInfo[] }): ReactNode {
  const say = useText("resources");
  const scope = useScope();
  const may = useMay();
  const [page = "", kind = "", name = ""] = useRest();
  const plurals = useMemo(() => Object.fromEntries(kinds.map((one) => [one.name, one.plural])), [kinds]);
  const to = (...rest: string[]): string => atApplication(scope, capability, ...rest);
  const first = kinds[0]?.name ?? "";
  const life = useLifeOf(scope, capability, first, to, (one, named) => to("edit", one, named), { plurals, instances: to("instances") });
  const bar: Bar = { first: { key: "edit", label: say("edit"), to: to() }, last: [{ key: "instances", label: say("instances"), to: to("instances") }] };
  if (!may(life.permission("read"), scope)) return <Forbidden title={say("forbidden")}>{say("forbiddenText", { permission: life.permission("read") })}</Forbidden>;
  return (
    <LifePages life={life} page={page} bar={bar}>
      {page === "instances" ? (
        <>
          <LifeBar active="instances" {...bar} />
          <Instances />
        </>
      ) : (
        <Editor key={`${scope.environment}/${scope.center}/${scope.application}`} kinds={kinds} kind={kind} name={name} bar={bar} />
      )}
    </LifePages>
  );
}
