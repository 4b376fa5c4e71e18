import type { ReactNode } from "react";
import { useParams } from "react-router";
import { Empty, Reading } from "../kit";
import { Bundles } from "../life/Bundles";
import { atApplication, useText } from "../shell";
import { titleOf, useKinds } from "./kinds";

/** Where the resources of one capability stand, over all applications. */
export function List(): ReactNode {
  const { capability = "" } = useParams();
  const say = useText("resources");
  const kinds = useKinds();
  if (!kinds) return <Reading />;
  const own = kinds.filter((kind) => kind.capability === capability);
  if (!own[0]) return <Empty title={say("missing", { capability })}>{say("missingText")}</Empty>;
  return (
    <Bundles
      key={capability}
      capability={capability}
      permission={`${capability}.${own[0].name}:read`}
      title={titleOf(own, capability)}
      note={own.length > 1 ? own.map((kind) => kind.title).join(", ") : say("note")}
      to={(place, ...rest) => atApplication(place, capability, ...rest)}
    />
  );
}
