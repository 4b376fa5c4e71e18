import { useRef, type ReactNode } from "react";
import { Forbidden } from "../kit";
import { LifePages } from "../life";
import { useMay, useRest, useScope, useText } from "../shell";
import { Editor } from "./Editor";
import { useConfigLife } from "./place";
import { Transfer } from "./Transfer";
import "./config.css";

/** The configuration of one application: its editor, and what leads from a draft to all instances. */
export default function Tab(): ReactNode {
  const say = useText("config");
  const scope = useScope();
  const may = useMay();
  const life = useConfigLife();
  const rest = useRest();
  const [page = "", name = ""] = rest;
  const last = useRef(name);
  if (name) last.current = name;
  if (!may("config.namespace:read", scope)) return <Forbidden title={say("forbidden")}>{say("forbiddenText")}</Forbidden>;
  const bar = { first: { key: "edit", label: say("edit"), to: last.current ? life.to("edit", last.current) : life.to() }, last: [{ key: "transfer", label: say("transfer.title"), to: life.to("transfer") }] };
  return (
    <LifePages life={life} page={page} bar={bar}>
      {page === "transfer" ? <Transfer bar={bar} /> : <Editor key={`${scope.environment}/${scope.center}/${scope.application}`} name={name} bar={bar} />}
    </LifePages>
  );
}
