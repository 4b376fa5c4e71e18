import type { ReactNode } from "react";
import { failureOf, useRead } from "../api";
import { Copy, ErrorState, Facts, Note, Peek, Section, Skeleton, duration } from "../kit";
import { useMay, useScope, useText } from "../shell";
import { offeredIn, type Field, type Method, type Shape } from "./document";
import type { Service } from "./offered";
import { DEFINITION, READ_DEFINITION } from "./operations";

/** What a service offers: its methods with what they take and give, and the types of these. */
export function Definition({ service, onClose }: { service: Service | undefined; onClose: () => void }): ReactNode {
  return (
    <Peek open={service !== undefined} onClose={onClose} title={<code>{service?.name}</code>} width={640}>
      {service && <Shown service={service} />}
    </Peek>
  );
}

function Shown({ service }: { service: Service }): ReactNode {
  const say = useText("registry");
  const scope = useScope();
  const readable = useMay()(READ_DEFINITION, scope);
  const { told, offer } = service;
  const found = useRead(DEFINITION, { path: { ...scope, service: service.name } }, { enabled: readable && told !== undefined });
  if (!told) return <Note hue="idle" title={say("notTold")}>{say("notToldText")}</Note>;
  if (!readable) return <Note hue="idle">{say("needs", { permission: READ_DEFINITION })}</Note>;
  if (found.error && !found.data) return <ErrorState failure={failureOf(found.error, say("unreadableDefinition"))} onRetry={() => void found.refetch()} />;
  if (!found.data) return <Skeleton rows={8} />;
  const offered = offeredIn(found.data.definition.document);
  const digest = offered.digest || told.digest;
  const differs = offer !== undefined && offered.digest !== "" && offer.digest !== offered.digest;
  return (
    <div className="n-node">
      {offered.description && <p>{offered.description}</p>}
      {differs && <Note hue="warn" title={say("differs")}>{say("differsText", { told: offered.digest.slice(0, 12), published: offer.digest.slice(0, 12) })}</Note>}
      <Facts
        items={[
          [say("columns.version"), <code key="version">{offered.version || "—"}</code>],
          [say("columns.group"), <code key="group">{offered.group || "—"}</code>],
          [say("columns.digest"), <span key="digest" className="n-long"><code>{digest}</code> <Copy text={digest} /></span>],
        ]}
      />
      <Section title={say("columns.methods")} note={say("methods", { count: offered.methods.length })}>
        {offered.methods.map((method) => <OneMethod key={method.name} method={method} />)}
      </Section>
      {offered.shapes.length > 0 && (
        <Section title={say("types")}>
          {offered.shapes.map((shape) => <OneShape key={shape.name} shape={shape} />)}
        </Section>
      )}
    </div>
  );
}

function OneMethod({ method }: { method: Method }): ReactNode {
  const say = useText("registry");
  const { timeout, idempotent, hash_key: key, priority } = method.options;
  const options = [
    typeof timeout === "number" && say("option.timeout", { time: duration(timeout * 1000) }),
    say(idempotent === true ? "option.idempotent" : "option.once"),
    typeof key === "string" && key && say("option.key", { key }),
    typeof priority === "string" && priority !== "normal" && say("option.priority", { priority }),
  ];
  return (
    <div className="n-method">
      <h4><code>{method.name}</code> <span className="k-quiet">→ <code>{method.result}</code></span></h4>
      {method.description && <p>{method.description}</p>}
      <Fields fields={method.arguments} none={say("noArguments")} />
      <p className="k-quiet">{options.filter(Boolean).join(" · ")}</p>
    </div>
  );
}

function OneShape({ shape }: { shape: Shape }): ReactNode {
  return (
    <div className="n-method">
      <h4><code>{shape.name}</code>{shape.fields.length === 0 && <span className="k-quiet"> <code>{shape.type}</code></span>}</h4>
      {shape.fields.length > 0 && <Fields fields={shape.fields} none="" />}
    </div>
  );
}

function Fields({ fields, none }: { fields: Field[]; none: string }): ReactNode {
  const say = useText("registry");
  if (fields.length === 0) return <p className="k-quiet">{none}</p>;
  return (
    <ul className="n-fields">
      {fields.map((field) => (
        <li key={field.name}>
          <code>{field.name}</code>
          <code className="k-quiet">{field.type}</code>
          <span className="k-quiet">{field.required ? say("required") : field.fallback ? <>{say("otherwise")} <code>{field.fallback}</code></> : say("optional")}</span>
        </li>
      ))}
    </ul>
  );
}
