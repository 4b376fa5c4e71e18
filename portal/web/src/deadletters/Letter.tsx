import { useState, type ReactNode } from "react";
import { call, failureOf, useDo, useRead, type DeadLetterDetail, type DeadOutcomeView, type MessageView } from "../api";
import { Button, Copy, ErrorState, Facts, Peek, Reading, Section, Time } from "../kit";
import { useMay, useScope, useText } from "../shell";
import { DeleteLetters, ResendLetter } from "./Acts";
import { Edit } from "./Edit";
import { Message } from "./Message";
import { EXECUTE, LETTER, MESSAGE, REVEAL, UPDATE } from "./operations";
import { Refused } from "./Parts";

export interface LetterProps {
  number: number;
  act: string;
  change: (change: Record<string, string>) => void;
  onDone: (outcomes: DeadOutcomeView[]) => void;
}

/** One letter in a drawer: of what it died and where, its message, and what can be done with it. */
export function Letter({ number, act, change, onDone }: LetterProps): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const found = useRead(LETTER, { path: { ...scope, number } });
  const [message, setMessage] = useState<MessageView>();
  const reveal = useDo(() => call(MESSAGE, { path: { ...scope, number } }), []);
  const letter = found.data;
  const close = (): void => change({ letter: "", do: "" });
  const back = (): void => change({ do: "" });
  const show = (then?: () => void): void => reveal.mutate(undefined, { onSuccess: (shown) => { setMessage(shown); then?.(); } });
  if (letter && act === "resend") return <ResendLetter letter={letter} onClose={back} onDone={onDone} />;
  if (letter && act === "delete") return <DeleteLetters numbers={[number]} onClose={back} onDone={onDone} />;
  const edits = act === "edit" && letter && message;
  return (
    <Peek
      open
      onClose={close}
      width={680}
      title={say(edits ? "edit.title" : "one", { number })}
      foot={letter && !edits && <Actions message={message} busy={reveal.isPending} change={change} show={show} />}
    >
      {edits ? (
        <Edit letter={letter} message={message} onClose={back} onDone={onDone} />
      ) : found.error && !letter ? (
        <ErrorState failure={failureOf(found.error, say("unreadableOne"))} onRetry={() => void found.refetch()} />
      ) : letter ? (
        <About letter={letter}>
          <Refused error={reveal.error} />
          {message ? <Message message={message} /> : <Hidden busy={reveal.isPending} show={() => show()} />}
        </About>
      ) : (
        <Reading />
      )}
    </Peek>
  );
}

function About({ letter, children }: { letter: DeadLetterDetail; children: ReactNode }): ReactNode {
  const say = useText("deadletters");
  const items: [ReactNode, ReactNode][] = [
    [say("columns.group"), <code key="g">{letter.group}</code>],
    [say("columns.topic"), <code key="t">{letter.topic || "—"}</code>],
    [say("columns.died"), <Time key="d" at={letter.died_at} exact />],
    [say("columns.attempts"), String(letter.attempts)],
    [say("where"), letter.refused ? say("refused") : <code key="q">{letter.queue}{letter.position >= 0 && ` @ ${letter.position}`}</code>],
    [say("sender"), letter.application ? <code key="s">{letter.center}/{letter.application}</code> : "—"],
    [say("columns.id"), <span key="i"><code>{letter.id}</code> <Copy text={letter.id} /></span>],
    [say("columns.key"), letter.key ? <code key="k">{letter.key}</code> : "—"],
    [say("tag"), letter.tag ? <code key="a">{letter.tag}</code> : "—"],
  ];
  return (
    <div className="d-letter">
      <p className="d-error" role="note">{letter.error || say("noError")}</p>
      <Facts items={items} />
      {letter.stack && <Section title={say("stack")} actions={<Copy text={letter.stack} label={say("copyStack")} />}><pre className="d-stack" tabIndex={0} aria-label={say("stack")}>{letter.stack.trimEnd()}</pre></Section>}
      <Section title={say("message")}>{children}</Section>
    </div>
  );
}

/** The message is shown when somebody asks for it, who is then in the trail. */
function Hidden({ busy, show }: { busy: boolean; show: () => void }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const may = useMay();
  const mayReveal = may(REVEAL, scope);
  return (
    <div className="d-hidden">
      <Button icon="eye" busy={busy} disabled={!mayReveal} reason={say("needs", { permission: REVEAL })} onClick={show}>{say("reveal")}</Button>
      <span className="k-quiet">{mayReveal ? say("audited") : say("needs", { permission: REVEAL })}</span>
    </div>
  );
}

function Actions({ message, busy, change, show }: { message: MessageView | undefined; busy: boolean; change: LetterProps["change"]; show: (then?: () => void) => void }): ReactNode {
  const say = useText("deadletters");
  const scope = useScope();
  const may = useMay();
  const lacks = [EXECUTE, UPDATE, REVEAL].find((one) => !may(one, scope));
  const mayAct = lacks !== EXECUTE;
  const reason = say("needs", { permission: EXECUTE });
  const edit = (): void => (message ? change({ do: "edit" }) : show(() => change({ do: "edit" })));
  return (
    <>
      <Button kind="danger" disabled={!mayAct} reason={reason} onClick={() => change({ do: "delete" })}>{say("delete.verb")}</Button>
      <span className="k-grow" />
      <Button icon="edit" busy={busy} disabled={lacks !== undefined} reason={say("needs", { permission: lacks ?? "" })} onClick={edit}>{say("edit.verb")}</Button>
      <Button kind="primary" icon="refresh" disabled={!mayAct} reason={reason} onClick={() => change({ do: "resend" })}>{say("resend.verb")}</Button>
    </>
  );
}
