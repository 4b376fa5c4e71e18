import type { ReactNode } from "react";
import { Button } from "../kit";
import { Bundles } from "../life/Bundles";
import { at, atApplication, useScope, useText } from "../shell";

/** The configuration of all applications. */
export function List(): ReactNode {
  const say = useText("config");
  const scope = useScope();
  return (
    <Bundles
      capability="config"
      permission="config.namespace:read"
      title={say("title")}
      note={say("note")}
      to={(place, ...rest) => atApplication(place, "config", ...rest)}
      actions={<Button icon="search" to={at(scope, "config", "search")}>{say("search.title")}</Button>}
    />
  );
}
