import { useState, type ReactNode } from "react";
import { call, useDo, type DeadLetterDetail, type DeadOutcomeView } from "../api";
import { Confirm, Field, TextInput } from "../kit";
import { useIsProduction, useScope, useText, type Say } from "../shell";
import { DELETE, RESEND, RESEND_MANY, TOUCHED } from "./operations";
import { Refused } from "./Parts";

interface Acting {
  onClose: () => void;
  onDone: (outcomes: DeadOutcomeView[]) => void;
}

const MOST_REASON = 1000;

/** Why: it stays in the history and in the trail. `first`: nothing is to be done before. */
export function Reason({ value, onChange, required = false, first = true }: { value: string; onChange: (reason: string) => void; required?: boolean; first?: boolean }): ReactNode {
  const say = useText("deadletters");
  return (
    <Field label={say("reason")} hint={say("reasonHint")} required={required}>
      {(ids) => <TextInput {...ids} value={value} onChange={onChange} maxLength={MOST_REASON} autoFocus={first} />}
    </Field>
  );
}

/** Sends one letter again as it was. */
export function ResendLetter({ letter, onClose, onDone }: Acting & { letter: DeadLetterDetail }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const production = useIsProduction();
  const [reason, setReason] = useState("");
  const resend = useDo(() => call(RESEND, { path: { ...scope, number: letter.number }, body: { reason } as never }), TOUCHED);
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => resend.mutate(undefined, { onSuccess: () => onDone([{ number: letter.number, done: true, code: "", detail: "" }]) })}
      kind={production ? "production" : "primary"}
      title={say("resend.title", { number: letter.number })}
      consequence={<strong>{whoGets(say, letter, "resend")}</strong>}
      action={say("resend.action")}
      busy={resend.isPending}
      error={<Refused error={resend.error} />}
    >
      <p>{say("resend.after")}</p>
      <Reason value={reason} onChange={setReason} />
    </Confirm>
  );
}

export function ResendLetters({ numbers, onClose, onDone }: Acting & { numbers: number[] }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const production = useIsProduction();
  const [reason, setReason] = useState("");
  const resend = useDo(() => call(RESEND_MANY, { path: scope, body: { numbers, reason } as never }), TOUCHED);
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => resend.mutate(undefined, { onSuccess: onDone })}
      kind={production ? "production" : "primary"}
      title={say("resend.many", { count: numbers.length })}
      consequence={<strong>{say("resend.manyWhat", { count: numbers.length })}</strong>}
      action={say("resend.manyAction", { count: numbers.length })}
      busy={resend.isPending}
      error={<Refused error={resend.error} />}
    >
      <p>{say("resend.after")}</p>
      <Reason value={reason} onChange={setReason} />
    </Confirm>
  );
}

export function DeleteLetters({ numbers, onClose, onDone }: Acting & { numbers: number[] }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const production = useIsProduction();
  const [reason, setReason] = useState("");
  const [missing, setMissing] = useState(false);
  const remove = useDo(() => call(DELETE, { path: scope, body: { numbers, reason } }), TOUCHED);
  return (
    <Confirm
      open
      onClose={onClose}
      onConfirm={() => (reason.trim() ? remove.mutate(undefined, { onSuccess: onDone }) : setMissing(true))}
      kind={production ? "production" : "danger"}
      title={say("delete.title", { count: numbers.length, number: numbers[0] ?? 0 })}
      consequence={<strong>{say("delete.what", { count: numbers.length })}</strong>}
      action={say("delete.action", { count: numbers.length })}
      busy={remove.isPending}
      error={missing && !reason.trim() ? <p role="alert" className="k-field-error">{say("reasonFirst")}</p> : <Refused error={remove.error} />}
    >
      <p>{say("delete.after")}</p>
      <Reason required value={reason} onChange={setReason} />
    </Confirm>
  );
}

/** Who will handle what is sent again. */
export const whoGets = (say: Say, letter: DeadLetterDetail, how: "resend" | "edit"): string =>
  say(`${how}.${letter.refused ? "all" : "what"}`, { topic: letter.topic, group: letter.group });
