import type { ReactNode } from "react";
import { Button } from "./Button";
import { CommandLine, Copy } from "./Copy";
import { Icon } from "./Icon";
import { Glyph } from "./Status";
import { useWords } from "./words";

export interface EmptyProps {
  title: ReactNode;
  children?: ReactNode;
  actions?: ReactNode;
  cli?: string;
}

/** Nothing is there: yet, or under this filter. Three different texts; each says what to do. */
export function Empty(props: EmptyProps): ReactNode {
  const { title, children, actions, cli } = props;
  return (
    <div className="k-state">
      <h3>{title}</h3>
      {children && <p>{children}</p>}
      {actions && <div className="k-state-actions">{actions}</div>}
      {cli && <CommandLine line={cli} />}
    </div>
  );
}

/** Nothing is there yet, and this is what to write first. */
export function Begin({ label, code, ...empty }: EmptyProps & { label: string; code: string }): ReactNode {
  return (
    <div className="k-begin">
      <Empty {...empty} />
      <Copy text={code}>{label}</Copy>
      <pre tabIndex={0} aria-label={label}>{code}</pre>
    </div>
  );
}

/** The filter matches nothing. */
export function NoMatch(props: { title: ReactNode; children?: ReactNode; onClear: () => void; more?: ReactNode }): ReactNode {
  const say = useWords();
  return (
    <Empty
      title={props.title}
      actions={
        <>
          <Button keys="esc" onClick={props.onClear}>{say("clear")}</Button>
          {props.more}
        </>
      }
    >
      {props.children}
    </Empty>
  );
}

/** Not allowed: what it needs, and what can be done. */
export function Forbidden({ title, children, actions }: { title: ReactNode; children?: ReactNode; actions?: ReactNode }): ReactNode {
  return (
    <div className="k-state">
      <h3>
        <Icon name="lock" /> {title}
      </h3>
      {children && <p>{children}</p>}
      {actions && <div className="k-state-actions">{actions}</div>}
    </div>
  );
}

export interface Failure {
  title: ReactNode;
  /** What still works, or what to do. */
  detail?: ReactNode;
  code: string;
  requestId?: string | undefined;
  problems?: { message: string; path?: string; line?: number; column?: number }[];
}

/** A part failed: what, what still works, code, request id, and another try. */
export function ErrorState({ failure, onRetry, actions }: { failure: Failure; onRetry?: (() => void) | undefined; actions?: ReactNode }): ReactNode {
  const say = useWords();
  return (
    <div className="k-state">
      <div className="k-notice k-bad" role="alert">
        <Glyph hue="bad" />
        <div>
          <strong>{failure.title}</strong> {failure.detail}
          {failure.problems && failure.problems.length > 0 && (
            <ul>
              {failure.problems.map((problem, place) => (
                <li key={place}>
                  {problem.path && <code>{problem.path}</code>} {problem.message}
                  {problem.line ? ` (${say("line", { line: problem.line, column: problem.column ?? 1 })})` : ""}
                </li>
              ))}
            </ul>
          )}
        </div>
      </div>
      <dl className="k-error-facts">
        <div>
          <dt>{say("code")}</dt>
          <dd className="k-mono">{failure.code}</dd>
        </div>
        {failure.requestId && (
          <div>
            <dt>{say("request")}</dt>
            <dd className="k-mono">
              {failure.requestId} <Copy text={failure.requestId} />
            </dd>
          </div>
        )}
      </dl>
      <div className="k-state-actions">
        {onRetry && <Button keys="R" onClick={onRetry}>{say("retry")}</Button>}
        {actions}
      </div>
    </div>
  );
}
