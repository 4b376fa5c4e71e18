import { useState, type ReactNode } from "react";
import { call, failureOf, type AuditRecord, type Operation } from "../api";
import { Button, Confirm, ErrorState } from "../kit";
import { useText } from "../shell";
import type { Wanted } from "./trail";

const PAGE = 500;
const MOST = 20_000;

/** Writes what is filtered into a file, a record to a line; read page by page, and to a bound that is said. */
export function Export({ list, tenant, wanted, disabled }: { list: Operation; tenant: string; wanted: Wanted; disabled: boolean }): ReactNode {
  const say = useText("audit");
  const [open, setOpen] = useState(false);
  const [count, setCount] = useState<number>();
  const [done, setDone] = useState("");
  const [error, setError] = useState<unknown>();
  const run = async (): Promise<void> => {
    setError(undefined);
    setDone("");
    setCount(0);
    const lines: string[] = [];
    try {
      let after = "";
      do {
        const page = (await call(list, { path: { tenant } as never, query: { ...wanted, after, limit: PAGE } as never })) as unknown as { items: AuditRecord[]; next: string };
        for (const one of page.items) lines.push(JSON.stringify(one));
        setCount(lines.length);
        after = page.next;
      } while (after && lines.length < MOST);
      save(`audit-${tenant || "platform"}-${new Date().toISOString().slice(0, 19).replaceAll(":", "")}.jsonl`, `${lines.join("\n")}\n`);
      setDone(say(after ? "export.cut" : "export.done", { count: lines.length.toLocaleString("en-US") }));
    } catch (problem) {
      setError(problem);
    } finally {
      setCount(undefined);
    }
  };
  return (
    <>
      <Button icon="download" disabled={disabled} reason={say("export.nothing")} onClick={() => { setDone(""); setOpen(true); }}>{say("export.open")}</Button>
      <Confirm
        open={open}
        onClose={() => setOpen(false)}
        onConfirm={run}
        kind="primary"
        title={say("export.title")}
        consequence={done || say("export.consequence", { most: MOST.toLocaleString("en-US") })}
        action={count === undefined ? say("export.action") : say("export.reading", { count: count.toLocaleString("en-US") })}
        busy={count !== undefined}
        error={error !== undefined && <ErrorState failure={failureOf(error, say("export.failed"))} />}
      />
    </>
  );
}

function save(name: string, text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/jsonl" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  link.click();
  window.setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
