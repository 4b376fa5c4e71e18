import { useEffect, useRef, useState, type ReactNode } from "react";
import { Button } from "./Button";
import { Copy } from "./Copy";
import { Icon } from "./Icon";
import { usePartWords } from "./parts.words";
import "./parts.css";

const SHOWN_SECONDS = 30;

export interface SecretProps {
  /** What it is, as the key's name. */
  label: string;
  /** Asks for the value; the server writes that it was asked for. Without it there is no button. */
  onReveal?: () => Promise<string>;
  /** Why it cannot be shown. */
  reason?: string;
  /** A fingerprint, so that a change is seen without the value. */
  hash?: string;
}

/** A value that is not shown: a lock and dots. Shown on demand, it hides itself again. */
export function Secret({ label, onReveal, reason, hash }: SecretProps): ReactNode {
  const say = usePartWords();
  const [value, setValue] = useState<string>();
  const [left, setLeft] = useState(0);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<string>();
  const alive = useRef(true);
  useEffect(() => {
    alive.current = true;
    return () => { alive.current = false; };
  }, []);
  useEffect(() => {
    if (value === undefined) return;
    const end = Date.now() + SHOWN_SECONDS * 1000;
    setLeft(SHOWN_SECONDS);
    const timer = window.setInterval(() => {
      const rest = Math.ceil((end - Date.now()) / 1000);
      setLeft(rest);
      if (rest <= 0) setValue(undefined);
    }, 1000);
    return () => window.clearInterval(timer);
  }, [value]);
  const reveal = (): void => {
    if (!onReveal) return;
    setBusy(true);
    setError(undefined);
    onReveal()
      .then((text) => alive.current && setValue(text), (problem: unknown) => alive.current && setError(problem instanceof Error ? problem.message : String(problem)))
      .finally(() => alive.current && setBusy(false));
  };
  return (
    <span className="kp-secret">
      <Icon name={value === undefined ? "lock" : "unlock"} size={14} />
      {value === undefined ? (
        <>
          <span className="kp-secret-dots" aria-hidden="true">••••••••••••</span>
          <span className="k-hidden">{label}: {say("secret")}</span>
          {hash && <span className="k-mono k-quiet">#{hash.replace(/^#/, "").slice(0, 8)}</span>}
          {(onReveal || reason) && (
            <Button size="small" icon="eye" busy={busy} disabled={!onReveal} reason={reason} onClick={reveal}>{say("reveal")}</Button>
          )}
        </>
      ) : (
        <>
          <code className="kp-secret-value" aria-label={label}>{value}</code>
          <Copy text={value} />
          <Button size="small" kind="quiet" onClick={() => setValue(undefined)}>{say("hide")}</Button>
          <span className="kp-secret-left">{say("hidesIn", { count: left })}</span>
        </>
      )}
      {error && <span className="kp-secret-error" role="alert">{say("revealFailed", { reason: error })}</span>}
    </span>
  );
}
