import type { ReactNode } from "react";
import { Link } from "react-router";
import { usePartWords, type PartWord } from "./parts.words";
import { Glyph } from "./Status";
import "./parts.css";

export type StepState = "done" | "current" | "waiting" | "failed" | "future";

export interface Step {
  key: string;
  name: ReactNode;
  state: StepState;
  /** As "9/9" or 17. */
  count?: ReactNode;
  to?: string;
  onSelect?: () => void;
}

const words: Record<StepState, PartWord> = { done: "done", current: "current", waiting: "waiting", failed: "failed", future: "future" };

/** The way of a change: glyph, name and count of each step; what is to come is a dashed ring. */
export function Steps({ steps, label }: { steps: Step[]; label: string }): ReactNode {
  const say = usePartWords();
  const active = steps.findIndex((step) => step.state !== "done" && step.state !== "future");
  return (
    <ol className="kp-steps" aria-label={label}>
      {steps.map((step, place) => {
        const content = (
          <>
            <StepGlyph state={step.state} />
            <span className="kp-step-name">{step.name}</span>
            <span className="k-hidden">{say(words[step.state])}</span>
            {step.count !== undefined && <span className="kp-step-count">{step.count}</span>}
          </>
        );
        return (
          <li key={step.key} className={`kp-step kp-step-${step.state}`} aria-current={place === active ? "step" : undefined}>
            {step.to ? <Link to={step.to}>{content}</Link> : step.onSelect ? <button type="button" onClick={step.onSelect}>{content}</button> : <span className="kp-step-in">{content}</span>}
          </li>
        );
      })}
    </ol>
  );
}

function StepGlyph({ state }: { state: StepState }): ReactNode {
  if (state === "done") return <Glyph hue="ok" />;
  if (state === "current") return <Glyph hue="info" running />;
  if (state === "waiting") return <Glyph hue="warn" />;
  if (state === "failed") return <Glyph hue="bad" />;
  return (
    <svg className="k-glyph k-idle" width="14" height="14" viewBox="0 0 14 14" aria-hidden="true" focusable="false">
      <circle cx="7" cy="7" r="5.4" fill="none" stroke="currentColor" strokeWidth="1.3" strokeDasharray="2 1.8" />
    </svg>
  );
}
