import { useMemo, useState, type ReactNode } from "react";
import { Button } from "./Button";
import { compareTexts, foldRows, shortHash, type Piece, type Row, type Span } from "./compare";
import { Icon } from "./Icon";
import { usePartWords } from "./parts.words";
import { Mark, type MarkKind } from "./Status";
import { useWidthBelow } from "./width";
import "./parts.css";

const MOST_ROWS = 1500;

export interface TextDiffProps {
  before: string;
  after: string;
  beforeTitle?: ReactNode;
  afterTitle?: ReactNode;
  mode: "split" | "inline";
  /** Unchanged lines kept around a change. */
  context?: number;
  /** What is compared, for screen readers. */
  label?: string;
}

/** Two texts beside or under one another: what is the same is folded, what differs is marked to the word. */
export function TextDiff(props: TextDiffProps): ReactNode {
  const { before, after, beforeTitle, afterTitle, mode, context = 3, label } = props;
  const say = usePartWords();
  const narrow = useWidthBelow(768);
  const compared = useMemo(() => compareTexts(before, after), [before, after]);
  const pieces = useMemo(() => foldRows(compared.rows, context), [compared, context]);
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set());
  const [most, setMost] = useState(MOST_ROWS);
  const split = mode === "split" && !narrow;
  const columns = split ? 6 : 4;
  if (compared.added === 0 && compared.removed === 0 && compared.rows.length === 0) return <p className="kp-diff-note">{say("same")}</p>;
  const { shown, left } = cut(pieces, open, most);
  return (
    <div className="kp-diff">
      <table className={split ? "kp-diff-split" : "kp-diff-inline"}>
        <caption className="k-hidden">
          {label ? `${label}. ` : ""}
          {say("diffOf", { added: compared.added, removed: compared.removed })}
        </caption>
        <colgroup>
          {split ? (
            <>
              <col className="kp-diff-col-number" /><col className="kp-diff-col-sign" /><col />
              <col className="kp-diff-col-number" /><col className="kp-diff-col-sign" /><col />
            </>
          ) : (
            <>
              <col className="kp-diff-col-number" /><col className="kp-diff-col-number" /><col className="kp-diff-col-sign" /><col />
            </>
          )}
        </colgroup>
        <thead className={beforeTitle === undefined && afterTitle === undefined ? "k-hidden" : undefined}>
          <tr>
            {split ? (
              <>
                <th scope="colgroup" colSpan={3}>{beforeTitle ?? say("before")}</th>
                <th scope="colgroup" colSpan={3}>{afterTitle ?? say("after")}</th>
              </>
            ) : (
              <th scope="colgroup" colSpan={4}>
                {beforeTitle ?? say("before")} <span aria-hidden="true">→</span> {afterTitle ?? say("after")}
              </th>
            )}
          </tr>
        </thead>
        <tbody>
          {shown.map((piece, place) =>
            piece.fold ? (
              <tr key={`fold-${piece.at}`} className="kp-diff-fold">
                <td colSpan={columns}>
                  <button type="button" onClick={() => setOpen(new Set([...open, piece.at]))}>
                    <Icon name="updown" size={12} />
                    {piece.rows.length === 1 ? say("oneUnchanged") : say("unchanged", { count: piece.rows.length.toLocaleString("en-US") })}
                  </button>
                </td>
              </tr>
            ) : (
              <DiffRows key={`rows-${place}`} rows={piece.rows} split={split} />
            ),
          )}
        </tbody>
      </table>
      {left > 0 && (
        <p className="kp-diff-note">
          <Button size="small" onClick={() => setMost(most + MOST_ROWS)}>{say("showRest", { count: Math.min(left, MOST_ROWS).toLocaleString("en-US") })}</Button>
        </p>
      )}
      {compared.added === 0 && compared.removed === 0 && !compared.end && <p className="kp-diff-note">{say("same")}</p>}
      {compared.end && <p className="kp-diff-note">{say(compared.end === "added" ? "endAdded" : "endRemoved")}</p>}
      {compared.capped && <p className="kp-diff-note" role="note">{say("capped", { count: compared.capped.toLocaleString("en-US") })}</p>}
      {compared.coarse && <p className="kp-diff-note" role="note">{say("coarse")}</p>}
    </div>
  );
}

/** The first so many rows, with opened folds opened; and how many are left. */
function cut(pieces: Piece[], open: ReadonlySet<number>, most: number): { shown: Piece[]; left: number } {
  const shown: Piece[] = [];
  let room = most;
  let left = 0;
  for (const piece of pieces) {
    if (piece.fold && !open.has(piece.at)) {
      if (room > 0) shown.push(piece);
      continue;
    }
    if (room > 0) shown.push({ fold: false, rows: piece.rows.slice(0, room) });
    left += Math.max(0, piece.rows.length - Math.max(0, room));
    room -= piece.rows.length;
  }
  return { shown, left };
}

function DiffRows({ rows, split }: { rows: Row[]; split: boolean }): ReactNode {
  if (split) {
    return rows.map((row, place) => (
      <tr key={place}>
        <Half one={row.before} sign={row.kind === "same" ? "" : "−"} />
        <Half one={row.after} sign={row.kind === "same" ? "" : "+"} right />
      </tr>
    ));
  }
  return oneColumn(rows).map(({ row, sign }, place) => {
    const one = sign === "+" ? row.after : row.before;
    const tint = tintOf(sign);
    return (
      <tr key={place} className={tint}>
        <td className="kp-diff-number">{sign === "+" ? "" : row.before?.number}</td>
        <td className="kp-diff-number">{sign === "−" ? "" : row.after?.number}</td>
        <Sign sign={sign} />
        <td className="kp-diff-text"><Marks spans={one?.marks ?? []} sign={sign} /></td>
      </tr>
    );
  });
}

type SignText = "" | "+" | "−";
const tintOf = (sign: SignText): string => (sign === "+" ? "kp-diff-add" : sign === "−" ? "kp-diff-del" : "");

/** In one column what is gone stands before what came, block by block. */
function oneColumn(rows: Row[]): { row: Row; sign: SignText }[] {
  const shown: { row: Row; sign: SignText }[] = [];
  for (let place = 0; place < rows.length; ) {
    if (rows[place]!.kind === "same") {
      shown.push({ row: rows[place++]!, sign: "" });
      continue;
    }
    const start = place;
    while (place < rows.length && rows[place]!.kind !== "same") place++;
    const block = rows.slice(start, place);
    for (const row of block) if (row.before) shown.push({ row, sign: "−" });
    for (const row of block) if (row.after) shown.push({ row, sign: "+" });
  }
  return shown;
}

function Half({ one, sign, right = false }: { one: Row["before"]; sign: SignText; right?: boolean }): ReactNode {
  const edge = right ? " kp-diff-right" : "";
  if (!one) return <td colSpan={3} className={`kp-diff-void${edge}`} />;
  const tint = tintOf(sign);
  return (
    <>
      <td className={`kp-diff-number ${tint}${edge}`}>{one.number}</td>
      <Sign sign={sign} />
      <td className={`kp-diff-text ${tint}`}><Marks spans={one.marks} sign={sign} /></td>
    </>
  );
}

function Sign({ sign }: { sign: SignText }): ReactNode {
  const say = usePartWords();
  return (
    <td className={`kp-diff-sign ${tintOf(sign)}`}>
      <span aria-hidden="true">{sign}</span>
      {sign && <span className="k-hidden">{say(sign === "+" ? "added" : "removed")}</span>}
    </td>
  );
}

function Marks({ spans, sign }: { spans: Span[]; sign: SignText }): ReactNode {
  return spans.map((span, place) => (span.marked && sign ? <mark key={place}>{span.text}</mark> : <span key={place}>{span.text}</span>));
}

export interface Change {
  path: string;
  action: MarkKind;
  before?: unknown;
  after?: unknown;
  /** Shown as dots and a fingerprint; its value is never drawn. */
  secret?: boolean;
  /** Fingerprints of a secret as the server names them, used instead of the kit's own. */
  beforeHash?: string;
  afterHash?: string;
}

/** Keys and what became of their values, one to a row. */
export function ChangeList({ changes, label, onOpen }: { changes: Change[]; label?: string; onOpen?: (change: Change) => void }): ReactNode {
  const say = usePartWords();
  if (changes.length === 0) return <p className="kp-diff-note">{say("noChanges")}</p>;
  return (
    <ul className="kp-changes" aria-label={label}>
      {changes.map((change) => (
        <ChangeRow key={change.path} change={change} onOpen={onOpen} />
      ))}
    </ul>
  );
}

const shownValue = (value: unknown): string => (typeof value === "string" ? value : (JSON.stringify(value, null, 2) ?? ""));

function ChangeRow({ change, onOpen }: { change: Change; onOpen: ((change: Change) => void) | undefined }): ReactNode {
  const say = usePartWords();
  const [open, setOpen] = useState(false);
  const before = change.before === undefined ? undefined : shownValue(change.before);
  const after = change.after === undefined ? undefined : shownValue(change.after);
  const long = !change.secret && [before, after].some((text) => text !== undefined && (text.length > 40 || text.includes("\n")));
  return (
    <li>
      <Mark kind={change.action} />
      {onOpen ? (
        <button type="button" className="kp-link k-mono kp-change-path" onClick={() => onOpen(change)}>{change.path}</button>
      ) : (
        <span className="k-mono kp-change-path">{change.path}</span>
      )}
      <span className="kp-change-values">
        <Chip sign="−" text={before} secret={change.secret ?? false} hash={change.beforeHash} />
        <span className="kp-change-arrow" aria-hidden="true">→</span>
        <span className="k-hidden">{say("becomes")}</span>
        <Chip sign="+" text={after} secret={change.secret ?? false} hash={change.afterHash} />
        {long && <Button kind="quiet" size="small" icon="diff" label={`${say("compare")} ${change.path}`} expanded={open} onClick={() => setOpen(!open)} />}
      </span>
      {open && (
        <div className="kp-change-open">
          <TextDiff before={before ?? ""} after={after ?? ""} mode="inline" label={change.path} />
        </div>
      )}
    </li>
  );
}

function Chip({ sign, text, secret, hash }: { sign: "+" | "−"; text: string | undefined; secret: boolean; hash: string | undefined }): ReactNode {
  const say = usePartWords();
  const tint = sign === "+" ? "kp-chip-add" : "kp-chip-del";
  const gone = text === undefined && hash === undefined;
  if (gone) return <span className={`kp-chip ${tint}`}><span aria-hidden="true">—</span><span className="k-hidden">{say("none")}</span></span>;
  if (secret) {
    return (
      <span className={`kp-chip ${tint}`}>
        <span aria-hidden="true">••••••</span>
        <span className="k-hidden">{say("secret")}</span> #{(hash ?? shortHash(text ?? "")).replace(/^#/, "").slice(0, 8)}
      </span>
    );
  }
  const line = (text ?? "").replace(/\s+/g, " ");
  return <span className={`kp-chip ${tint}`} title={line.length > 24 ? text?.slice(0, 2000) : undefined}>{line === "" ? '""' : line.slice(0, 200)}</span>;
}
