import { useEffect, useRef, useState, type ReactNode } from "react";
import { copyText } from "./clipboard";
import { Icon } from "./Icon";
import { useScrolls } from "./scrolls";
import { useWords } from "./words";

export function Copy({ text, label, children }: { text: string; label?: string; children?: ReactNode }): ReactNode {
  const say = useWords();
  const [done, setDone] = useState(false);
  const timer = useRef<number>(undefined);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  const copy = (): void => {
    void copyText(text).then(() => {
      setDone(true);
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(() => setDone(false), 1500);
    });
  };
  return (
    <button type="button" className="k-copy" onClick={copy} aria-label={children ? undefined : (label ?? say("copy"))} title={text}>
      <Icon name={done ? "check" : "copy"} size={14} />
      {children && <span>{done ? say("copied") : children}</span>}
      <span className="k-hidden" role="status">{done ? say("copied") : ""}</span>
    </button>
  );
}

/** A line to be typed elsewhere, with its copy button. */
export function CommandLine({ line }: { line: string }): ReactNode {
  return (
    <span className="k-command">
      <span aria-hidden="true">$</span>
      <code {...useScrolls<HTMLElement>()}>{line}</code>
      <Copy text={line} />
    </span>
  );
}
