import type { ReactNode } from "react";
import type { ApiError } from "../api";
import { Button, Field, TextInput } from "../kit";
import { useText } from "../shell";

const LETTERS = "abcdefghijkmnpqrstuvwxyz23456789";

/** A password that nobody guesses: four groups of five, 99 bits. */
function suggested(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  const text = [...bytes].map((byte) => LETTERS[byte % LETTERS.length]).join("");
  return (text.match(/.{5}/g) ?? []).join("-");
}

/** A new password. Whether it is strong enough the server says, and it says why not. */
export function Password(props: { label: string; hint?: string; value: string; onChange: (value: string) => void; missing: boolean; weak: ApiError | null; shown?: boolean }): ReactNode {
  const { label, hint, value, onChange, missing, weak, shown = false } = props;
  const say = useText("identity");
  const reason = typeof weak?.facts.reason === "string" && ["short", "long", "guessed", "name"].includes(weak.facts.reason) ? say(`password.weak.${weak.facts.reason}`) : weak?.message;
  return (
    <Field label={label} hint={hint} error={missing ? say("password.missing") : reason} required>
      {(ids) => (
        <span className="i-password">
          <TextInput {...ids} mono password={!shown} value={value} onChange={onChange} maxLength={256} autoComplete="new-password" />
          {shown && <Button size="small" icon="refresh" onClick={() => onChange(suggested())}>{say("password.suggest")}</Button>}
        </span>
      )}
    </Field>
  );
}
