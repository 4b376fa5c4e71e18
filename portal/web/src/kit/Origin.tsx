import type { ReactNode } from "react";
import { usePartWords } from "./parts.words";
import "./parts.css";

export interface OriginLevel {
  key: string;
  /** The level, as "Application" or "Environment prod". */
  name: ReactNode;
  /** Where exactly: a file, a revision, a person and a time. */
  source?: ReactNode;
  /** Undefined where nothing is set at this level. */
  value?: ReactNode;
  /** Its value is the one in force. */
  winner?: boolean;
  /** In place of the value, as a status tag. */
  status?: ReactNode;
  hue?: "bad" | "info";
}

/** Where a value comes from, from the default to the draft: every level stays listed, the one in force is filled. */
export function Origin({ levels, label }: { levels: OriginLevel[]; label: string }): ReactNode {
  const say = usePartWords();
  return (
    <ol className="kp-origin" aria-label={label}>
      {levels.map((level) => {
        const unset = level.value === undefined && level.status === undefined;
        return (
          <li key={level.key} className={`${level.winner ? "kp-origin-winner" : ""}${unset ? " kp-origin-unset" : ""}${level.hue ? ` kp-origin-${level.hue}` : ""}`}>
            <span className="kp-origin-name">{level.name}</span>
            <span className="kp-origin-value">
              {level.status ?? (unset ? <span aria-hidden="true">—</span> : <span className="k-mono">{level.value}</span>)}
              {level.winner && <span className="k-hidden">{say("inForce")}</span>}
            </span>
            <span className="kp-origin-source">{unset ? (level.source ? <>{level.source} · {say("unset")}</> : say("unset")) : level.source}</span>
          </li>
        );
      })}
    </ol>
  );
}
