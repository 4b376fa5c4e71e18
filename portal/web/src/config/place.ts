import { atApplication, useScope, type Scope } from "../shell";
import { isSealed, maskOf, writeItems, type Body } from "./body";
import { useLifeOf, type Life } from "../life";

export const toNamespace = (scope: Scope, name: string, key?: string): string => atApplication(scope, "config", "edit", name) + (key ? `?key=${encodeURIComponent(key)}` : "");

/** A namespace as lines: its document, or its keys; what else is set of it as comments above. */
function textOf(_kind: string, body: unknown): string {
  if (!body) return "";
  const { format, items, document, ...rest } = body as Body;
  const head = Object.entries(rest).map(([name, value]) => `# ${name}: ${String(value).replaceAll("\n", " ")}`).join("\n");
  const text = format === "properties" ? writeItems(items ?? {}) : isSealed(document) ? `(secret #${maskOf(document)})` : (document ?? "");
  return head ? `${head}\n${text}` : text;
}

/** The life of an application's configuration. */
export function useConfigLife(): Life {
  const scope = useScope();
  return useLifeOf(scope, "config", "namespace", (...rest) => atApplication(scope, "config", ...rest), (_kind, name, key) => toNamespace(scope, name, key), { cli: true, textOf, instances: atApplication(scope, "instances") });
}
