import type { ReactNode } from "react";
import { Forbidden, SubPages } from "../kit";
import { atApplication, useMay, useRest, useScope, useText } from "../shell";
import { Causes } from "./Causes";
import { History } from "./History";
import { Letters } from "./Letters";
import { READ } from "./operations";
import "./deadletters.css";

/** What died in the groups of an application's messages: by its cause, letter by letter, and what was done with it. */
export default function Tab(): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const may = useMay();
  const [page = ""] = useRest();
  if (!may(READ, scope)) return <Forbidden title={say("forbidden")}>{say("needs", { permission: READ })}</Forbidden>;
  const shown = page === "letters" || page === "history" ? page : "causes";
  const Shown = { causes: Causes, letters: Letters, history: History }[shown];
  const items = [
    { key: "causes", to: atApplication(scope, "dead") },
    { key: "letters", to: atApplication(scope, "dead", "letters") },
    { key: "history", to: atApplication(scope, "dead", "history") },
  ];
  return (
    <>
      <div className="k-page-bar">
        <SubPages label={say("title")} active={shown} items={items.map((item) => ({ ...item, label: say(`pages.${item.key}`) }))} />
      </div>
      <Shown key={`${scope.environment}/${scope.center}/${scope.application}`} />
    </>
  );
}
