import { useState, type ReactNode } from "react";
import { asCurl, urlOf, useDo, usePages, type ImportResult, type Operation, type ResourceSummary } from "../api";
import { Button, Check, Choice, CommandLine, Field, Note, Pane, Panes, Pick, Section, StatusTag, TextInput, type Hue } from "../kit";
import { argumentsOf, Can, LifeBar, lifeCall, Refused, useLife, useReason, type LifePageProps } from "../life";
import { usePage, useQueryState, useText } from "../shell";
import { FileChoice } from "./FileChoice";
import { FORMATS, formatOfFile, type Format } from "./body";

const POLICIES = ["fail", "skip", "overwrite", "merge"] as const;
type Policy = (typeof POLICIES)[number];
const HUES: Record<ImportResult["lines"][number]["action"], Hue> = { add: "ok", change: "info", keep: "idle", refuse: "bad" };

/** Configuration out as text or a zip, and in from one: first only told, then done. */
export function Transfer({ bar }: LifePageProps): ReactNode {
  const say = useText("config");
  const life = useLife();
  usePage({
    title: `${say("transfer.title")} · ${life.scope.application}`,
    cli: life.cli("export", "-f application.zip") ?? "",
    api: asCurl(life.operation("GET", "/export"), { path: life.scope }),
  });
  return (
    <>
      <LifeBar active="transfer" {...bar} />
      <Panes>
        <Pane title={say("transfer.out")}><Export /></Pane>
        <Pane title={say("transfer.in")}><Import /></Pane>
      </Panes>
    </>
  );
}

function Export(): ReactNode {
  const say = useText("config");
  const life = useLife();
  const [name, setName] = useQueryState("namespace");
  const [format, setFormat] = useState<"" | Format>("");
  const [reveal, setReveal] = useState(false);
  const reason = useReason("reveal");
  const list = usePages<Operation, ResourceSummary>(life.operation("GET", "/namespaces"), { ...argumentsOf(life), query: { limit: 500 } } as never, { topics: life.topics });
  const published = (list.rows ?? []).filter((one) => one.state !== "new");
  const operation = life.operation("GET", name ? "/export/{name}" : "/export") as Operation;
  const args = { path: { ...life.scope, name }, query: { ...(name && format ? { format } : {}), ...(reveal ? { reveal: true } : {}) } };
  const file = name ? `${name}.${format || "txt"}` : `${life.scope.application}-${life.scope.environment}.zip`;
  const none = list.rows !== undefined && published.length === 0;
  return (
    <div className="k-section">
      <Field label={say("transfer.what")}>
        {(ids) => <Choice {...ids} value={name} onChange={setName} options={[{ value: "", label: say("transfer.whole") }, ...published.map((one) => ({ value: one.name, label: one.name }))]} />}
      </Field>
      {name && (
        <Field label={say("create.format")} hint={say("transfer.formatHint")}>
          {() => <Pick label={say("create.format")} value={format} onChange={setFormat} options={[{ value: "", label: say("transfer.own") }, ...FORMATS.map((one) => ({ value: one, label: one }))]} />}
        </Field>
      )}
      <Field label={say("transfer.secrets")} hint={reason ?? say(reveal ? "transfer.revealed" : "transfer.kept")}>
        {() => <Check checked={reveal} disabled={reason !== undefined} onChange={setReveal}>{say("transfer.reveal")}</Check>}
      </Field>
      <span className="c-out">
        <Button kind="primary" icon="download" href={urlOf(operation, args)} download={file} disabled={none} reason={say("transfer.nothing")}>{say(name ? "transfer.getOne" : "transfer.getAll", { name })}</Button>
        <CommandLine line={`${life.cli("export", `${name ? `${name} ` : ""}-f ${file}${reveal ? " --reveal" : ""}`) ?? ""}`} />
      </span>
    </div>
  );
}

function Import(): ReactNode {
  const say = useText("config");
  const life = useLife();
  const reason = useReason("update");
  const [file, setFile] = useState<File | null>(null);
  const [name, setName] = useState("");
  const [format, setFormat] = useState<Format>("properties");
  const [policy, setPolicy] = useState<Policy>("fail");
  const [told, setTold] = useState<ImportResult | null>(null);
  const zip = file?.name.toLowerCase().endsWith(".zip") ?? false;
  const run = useDo(async (dry: boolean) => {
    if (!file) throw new Error("no file");
    const query = { policy, dry_run: dry, ...(zip ? {} : { format }) };
    return lifeCall<ImportResult>(life, "POST", zip ? "/import" : "/import/{name}", { path: { name }, query, body: file });
  });
  const go = (dry: boolean): void => {
    setTold(null);
    void run.mutateAsync(dry).then(setTold, () => undefined);
  };
  const choose = (chosen: File | undefined): void => {
    setTold(null);
    run.reset();
    setFile(chosen ?? null);
    if (chosen && !chosen.name.toLowerCase().endsWith(".zip")) {
      setName(chosen.name.replace(/\.[a-z]+$/i, ""));
      setFormat(formatOfFile(chosen.name));
    }
  };
  const refused = told?.lines.some((one) => one.action === "refuse") ?? false;
  const missing = !file ? say("transfer.chooseFile") : !zip && !name ? say("create.nameFirst") : undefined;
  return (
    <div className="k-section">
      <Field label={say("transfer.file")} hint={say("transfer.fileHint")}>
        {(ids) => <FileChoice {...ids} name={file?.name} onChoose={choose} />}
      </Field>
      {file && !zip && (
        <>
          <Field label={say("create.name")} required>{(ids) => <TextInput {...ids} mono value={name} onChange={setName} maxLength={200} />}</Field>
          <Field label={say("create.format")}>{() => <Pick label={say("create.format")} value={format} onChange={setFormat} options={FORMATS.map((one) => ({ value: one, label: one }))} />}</Field>
        </>
      )}
      <Field label={say("transfer.policy")} hint={say(`transfer.policies.${policy}Hint`)}>
        {() => <Pick label={say("transfer.policy")} value={policy} onChange={(next) => { setPolicy(next); setTold(null); }} options={POLICIES.map((one) => ({ value: one, label: say(`transfer.policies.${one}`) }))} />}
      </Field>
      <span className="k-row l-wrap">
        <Can verb="update" busy={run.isPending} disabled={missing !== undefined} {...(missing ? { reason: missing } : {})} onClick={() => go(true)}>{say("transfer.dry")}</Can>
        <Can verb="update" kind="primary" icon="upload" busy={run.isPending} disabled={missing !== undefined || told?.dry_run !== true || refused} reason={missing ?? (refused ? say("transfer.refused") : say("transfer.dryFirst"))} onClick={() => go(false)}>{say("transfer.take")}</Can>
      </span>
      {reason && <p className="k-quiet">{reason}</p>}
      <Refused error={run.error} />
      {told && (
        <Section title={told.dry_run ? say("transfer.would") : say("transfer.did")} note={say("transfer.lines", { count: told.lines.length })} actions={!told.dry_run && <Button size="small" icon="diff" to={life.to("diff")}>{say("transfer.see")}</Button>}>
          {!told.dry_run && <Note hue="ok">{say("transfer.drafts")}</Note>}
          <ul className="c-import">
            {told.lines.map((one) => (
              <li key={one.namespace}>
                <StatusTag hue={HUES[one.action]}>{say(`transfer.action.${one.action}`)}</StatusTag>
                <code className="k-ellipsis" title={one.namespace}>{one.namespace}</code>
                <span>{one.reason}</span>
              </li>
            ))}
          </ul>
        </Section>
      )}
    </div>
  );
}

